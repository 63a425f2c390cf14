"""Spikes and targets: encoders, readers of published formats, synthetic tasks."""
