"""Which core computes which part of which layer."""
