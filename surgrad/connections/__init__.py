"""Connections between neurons and their initialisation."""
