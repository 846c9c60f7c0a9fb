"""One example: a chip file, a network and how to run it; through everything, with every law."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from hw_models.floorplan import floorplan
from hw_models.spec import ChipSpec
from hw_models.yaml_file import build
from simulator.allocation.shares import RULES
from simulator.engine.conservation import check_work
from simulator.engine.fabric import MEMORIES
from simulator.fusion.compile import FusionChoices, compile_fused
from simulator.fusion.granularity import Granularity
from simulator.fusion.work import check_fused_work
from simulator.lowering.lower import lower
from simulator.mapping.search import OBJECTIVES
from simulator.program import Compiled
from simulator.run import Recording, execute
from simulator.workload.graph import Workload
from traces.critical_path import critical_path
from traces.errors import InputError
from traces.replay import replay
from traces.stalls import analyse
from traces.task_graph import load_task_graph
from validation.fuzz.chips import chips
from validation.fuzz.networks import networks

RECORDED = ((), (), (), (), ("simple",), ("cycle",))
"""Which runs of an example are recorded; most are not, since it takes longer."""

FUSED = st.fixed_dictionaries(
    {
        "granularity": st.sampled_from(("layer", "line", "line:2", "tile:2x3")),
        "overlap": st.sampled_from(("full", "horizontal", "recompute")),
        "policy": st.sampled_from(("memory", "latency")),
        "prefetch_weights": st.booleans(),
        "eager": st.booleans(),
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """What to run. chip: as a chip file says it. fused: how to compile it for several cores at
    once, as keys of FusionChoices; empty to compute layer after layer, with objective and
    allocation. recorded: models of the memory system whose runs are recorded and replayed.
    """

    chip: dict[str, Any]
    network: Workload
    objective: str
    allocation: str
    fused: dict[str, Any]
    recorded: tuple[str, ...]

    def run(self) -> str:
        """Simulate it with every model of the memory system.

        Returns an empty text, or why the input was refused. Whatever else is wrong raises: a law
        that is broken, a result whose causes don't add up, a refusal of several lines.
        """
        try:
            self._simulate()
        except InputError as error:
            reason = str(error)
            assert reason, "a refusal must have a reason"
            assert reason == reason.splitlines()[0], f"a refusal must be one line, not {reason!r}"
            return reason
        return ""

    def _simulate(self) -> None:
        chip = build(ChipSpec, self.chip, "random.yaml")
        compiled = self._fused(chip) if self.fused else self._layer_by_layer(chip)
        for memory in MEMORIES:
            self._execute(compiled, memory, None)
        for memory in self.recorded:
            with TemporaryDirectory() as folder:
                self._execute(compiled, memory, Recording(Path(folder), {}, {}))
                _check_trace(Path(folder))

    def _layer_by_layer(self, chip: ChipSpec) -> Compiled:
        shares = RULES[self.allocation](self.network, floorplan(chip))
        lowered = lower(self.network, chip, self.objective, allocation=shares)
        check_work(lowered.program, self.network, chip)
        return lowered.compiled

    def _fused(self, chip: ChipSpec) -> Compiled:
        granularity = Granularity.parse(self.fused["granularity"])
        choices = FusionChoices(**{**self.fused, "granularity": granularity})
        fused = compile_fused(self.network, chip, choices)
        check_fused_work(fused.compiled.program, fused.graph)
        return fused.compiled

    def _execute(self, compiled: Compiled, memory: str, recording: Recording | None) -> None:
        result, run = execute(compiled, self.network, memory, recording, None)
        for unit, causes in result.units.items():
            cycles = sum(causes.values())
            assert cycles == run.cycles, f"{memory}: {unit} explains {cycles} of {run.cycles}"
        if not compiled.interleaved:
            cycles = sum(sum(layer.causes.values()) for layer in result.layers)
            assert cycles == run.cycles, f"{memory}: layers explain {cycles} of {run.cycles}"


def _check_trace(folder: Path) -> None:
    """Unchanged replay finds every task where it was, and all cycles have causes."""
    graph = load_task_graph(folder)
    again = replay(graph)
    assert again.exact == len(graph), f"{again.exact} of {len(graph)} tasks replayed exactly"
    units = analyse(folder, graph, None).by_unit.sum(axis=1)
    assert (units == again.end_cycle).all(), f"units explain {units} of {again.end_cycle} cycles"
    path = int(critical_path(graph).cycles.sum())
    assert path == again.end_cycle, f"the critical path has {path} of {again.end_cycle} cycles"


@st.composite
def cases(draw: DrawFn, fused: bool) -> Case:
    """Random examples, compiled for several cores at once or layer after layer."""
    return Case(
        draw(chips()),
        draw(networks()),
        draw(st.sampled_from(sorted(OBJECTIVES))),
        draw(st.sampled_from(sorted(RULES))),
        draw(FUSED) if fused else {},
        draw(st.sampled_from(RECORDED)),
    )
