"""The first spike of neurons whose inputs spike once: in closed form, with its gradient."""
