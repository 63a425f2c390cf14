"""Spike encoders, readers of the published formats, and synthetic tasks."""
