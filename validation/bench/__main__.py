"""`python -m validation.bench NAME`, or `all`: run benchmarks, each closing with its figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

BENCHMARKS = {
    "allocation": "cost that greedy, genetic and constraint search find in the same time",
    "analytical": "how far each analytical model is from the simulation",
    "borrowing": "multiplier slots a second of the sparse schedulers",
    "dram": "bursts a second of the DRAM kernel, sequential and random",
    "engine": "share of a bare SimPy loop's speed that whole networks keep",
    "fuzz": "10,000 random chips and networks: no crash, no deadlock, ledgers add up",
    "multicore": "allocation and simulation of fused cores against Stream on the same case",
    "noc": "flit hops a second of the network kernel",
    "npu": "CPU time of whole networks on ONNXim's chips",
    "port": "contended transfers a second of the kernel server",
    "replay": "tasks a second that replay times anew",
    "replay_exact": "unchanged replay of every zoo network on three presets",
    "scalesim": "speed against SCALE-Sim v3 on the same layers, array and dataflow",
    "trace_scale": "memory and time of a trace of 50 million intervals",
    "zoo": "every network of the zoo on every preset, laws checked",
}
"""Name -> what it measures; each is a module of this package with `main() -> str`."""


def run(names: Sequence[str]) -> int:
    """Run benchmarks in turn and print their closing lines; returns the exit status."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown or not names:
        known = "\n".join(f"  {name:10} {what}" for name, what in BENCHMARKS.items())
        sys.stderr.write(f"usage: python -m validation.bench NAME ... | all\n{known}\n")
        return 2
    for name in names:
        line = import_module(f"validation.bench.{name}").main()
        sys.stdout.write(f"{name}: {line}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    chosen = sys.argv[1:]
    sys.exit(run(list(BENCHMARKS) if chosen == ["all"] else chosen))
