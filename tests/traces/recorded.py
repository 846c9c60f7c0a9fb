"""Recorded runs of small networks, for tests of what reads them."""

from simulator.run import simulate
from tests.simulator.networks import SYSTOLIC, chip, residual_network
from traces.task_graph import load_task_graph

OVERLAPPED = {**SYSTOLIC, "fold_overlap": "double_buffered"}

CHIPS = {
    "plain": {},
    "overlapped": {"array": OVERLAPPED},
    "two_cores": {"cores": 2, "unified": False},
    "one_slot": {"slots": 1},
    "one_port": {"ports": "1rw", "unified": False},
    "slow_dram": {"bandwidth_gb_per_s": 0.7},
}


def record(folder, memory="simple", **options):
    """Record the residual network on a small chip; returns the graph of its tasks."""
    array = options.pop("array", None)
    simulate(residual_network(), chip(array, **options), memory=memory, out=folder)
    return load_task_graph(folder)
