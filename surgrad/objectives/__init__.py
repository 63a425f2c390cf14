"""Losses, spike-train distances, regularisers and predictions."""
