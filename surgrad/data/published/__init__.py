"""The published data sets: how each is read, coded, split and named in an experiment file."""
