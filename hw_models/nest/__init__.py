"""Loop nests mapped on a hierarchy of memories: transfers, latency, energy, order of loops."""
