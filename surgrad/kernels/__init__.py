"""The operations under the networks, each beside its equations."""
