"""Outcomes that are told instead of simulated."""

from hw_models.floorplan import floorplan
from hw_models.links import link_graph
from validation.multicore.runs import Case, Outcome


def outcome(case: Case, cycles: int, spills: bool = False, layer_cycles=None) -> Outcome:
    """An outcome in which every core computes half of the time and waits for DRAM in the other."""
    half = cycles // 2
    causes = {"busy/compute": half, "stall/dram_bandwidth": cycles - half}
    links = dict.fromkeys(link_graph(case.chip).names, 10)
    return Outcome(
        cycles=cycles,
        spills=spills,
        core_causes=dict.fromkeys(case.chip.core_names, causes),
        peak_bytes=dict.fromkeys(floorplan(case.chip).buffers, 100),
        link_busy_cycles=links,
        link_transfers=links,
        link_taken_cycles=links,
        layer_cycles=layer_cycles or {layer.name: 1 for layer in case.workload.layers},
    )
