"""A convolution driven by events, behind a pooling if there is one."""
