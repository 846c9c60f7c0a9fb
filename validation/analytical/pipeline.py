"""The pipeline estimate of fused layers on several cores, beside schedule and simulation.

One iteration (a tile of every layer) takes its longest path through cores and links; N iterations
take iteration + (N - 1) * busiest core or link. Assumptions: every tile of a layer takes the same,
weights are on their cores, nothing is spilled, DRAM never limits, and iterations may overlap as far
as the busiest core or link lets them. What the simulation adds is told by the causes of the core
that is busiest there. Source: Stream (arXiv 2212.10612), steady state of a fused stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw_models.spec import ChipSpec
from simulator.allocation.steady_state import steady_state
from simulator.fusion.assign import allocation_problem
from simulator.fusion.compile import FusedProgram, FusionChoices, compile_fused
from simulator.fusion.run import run_fused
from simulator.workload.graph import Workload

COMPUTING, FORESEEN = "busy/compute", "foreseen"
"""What the estimate counts: cycles of tiles on the busiest core, and those until it is full."""


@dataclass(frozen=True, slots=True)
class PipelineError:
    """How far the estimate is from the simulation, and why.

    core: the busiest one of the simulation. causes: its cycles by cause, adding up to the run.
    parts: cycles by which each cause adds to the estimate; they add up to the difference.
    """

    estimated_cycles: int
    scheduled_cycles: int
    simulated_cycles: int
    core: str
    causes: Mapping[str, int]
    parts: Mapping[str, int]

    @property
    def error_pct(self) -> float:
        """Of the estimate, in percent of the simulation."""
        return 100 * (self.estimated_cycles / self.simulated_cycles - 1)

    @property
    def unexplained_cycles(self) -> int:
        """What the parts don't explain; 0 unless the ledger has a hole."""
        return self.simulated_cycles - self.estimated_cycles - sum(self.parts.values())


def pipeline_error(
    workload: Workload, chip: ChipSpec, choices: FusionChoices, memory: str
) -> PipelineError:
    """Estimate and simulate a network on a chip. Raises InputError for what can't be compiled."""
    fused = compile_fused(workload, chip, choices)
    estimate = estimated_cycles(fused)
    done = run_fused(fused, memory=memory)
    units = {name: c for name, c in done.result.units.items() if name.endswith(".pe_array")}
    core = max(units, key=lambda name: units[name].get(COMPUTING, 0))
    causes = {cause: n for cause, n in units[core].items() if n}
    # The estimate knows of the core's tiles; the rest of it is the way until the pipeline is full.
    known = causes.get(COMPUTING, 0)
    parts = {cause: n for cause, n in causes.items() if cause != COMPUTING}
    parts[FORESEEN] = known - estimate
    return PipelineError(
        estimate,
        fused.schedule.latency,
        done.result.cycles,
        core.removesuffix(".pe_array"),
        causes,
        parts,
    )


def estimated_cycles(fused: FusedProgram) -> int:
    """The estimate for a compiled network: the cost that the allocation search minimises."""
    workload, plan = fused.graph.workload, fused.compiled.plan
    names = plan.chip.core_names
    wanted = {
        layer: [names[core] for core in cores] for layer, cores in fused.assignment.cores.items()
    }
    problem = allocation_problem(workload, plan, fused.choices.granularity, wanted)
    choice = [problem.fixed[item] for item in range(len(problem.names))]
    return steady_state(problem, choice).latency_cycles
