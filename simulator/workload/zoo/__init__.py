"""Networks built in code, each from the paper that describes it."""

from simulator.workload.zoo.registry import NETWORKS, NetworkInfo, Option, network

__all__ = ["NETWORKS", "NetworkInfo", "Option", "network"]
