"""The law that a fused program does the work of its nodes. Rule: ARCHITECTURE.md LAW-6."""

from __future__ import annotations

from simulator.engine.conservation import ConservationError
from simulator.fusion.graph import FusedGraph
from simulator.program import COMPUTE, TileProgram


def check_fused_work(program: TileProgram, graph: FusedGraph) -> None:
    """Every layer has all MACs and outputs of its nodes, and nothing that leaves is left out.

    Raises ConservationError naming the layer.
    """
    tasks, computing = program.tasks, program.tasks["kind"] == COMPUTE
    outputs = (graph.high - graph.low).prod(axis=1)
    macs = graph.shape.prod(axis=1)
    for number, layer in enumerate(graph.workload.layers):
        nodes = graph.layer == number
        mine = computing & (tasks["layer"] == number)
        for what, column, due in (
            ("MACs", "macs", int(macs[nodes].sum()) if layer.is_mac else 0),
            ("output elements", "elements", int(outputs[nodes].sum())),
        ):
            found = int(tasks[column][mine].sum())
            if found != due:
                raise ConservationError(f"layer {layer.name}: {found} {what}, not {due}")
        leaving = nodes & graph.tensor_is_final[graph.output_tensor]
        covered = int(outputs[leaving].sum())
        if leaving.any() and covered < layer.output_elements:
            raise ConservationError(
                f"layer {layer.name}: nodes make {covered} outputs of {layer.output_elements}"
            )
