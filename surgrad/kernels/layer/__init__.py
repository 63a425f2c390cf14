"""Connection and neurons in one pass over time, driven by events; see README.md."""
