"""Learning rules: what fills the gradients."""
