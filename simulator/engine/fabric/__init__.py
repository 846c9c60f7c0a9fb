"""The memory system between cores and DRAM, in three fidelities."""

DEFAULT_MEMORY = "cycle"
MEMORIES = ("ideal", "simple", "cycle")
"""Ideal: transfers take no time. Simple: latency and bandwidth. Cycle: banks, rows and hops."""
