"""Verify, then time: surgrad beside its peers, each in a process of its own."""
