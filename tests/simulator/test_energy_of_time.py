"""Energy of a run's time: leakage, clock and gated clock of every core and layer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.cost.energy import TIME_ACTIONS, action_energies_pj
from hw_models.floorplan import floorplan
from hw_models.noc_spec import RoutedSpec
from simulator.counters import action_counters, layer_energies_pj, time_counters
from simulator.lowering.lower import lower
from simulator.run import simulate
from tests.simulator.networks import NetworkBuilder, chip, residual_network
from traces.schema import CAUSE, CAUSES

BUSY = [code for cause, code in CAUSE.items() if cause.startswith("busy/")]
PLAN = floorplan(chip())
UNITS = (PLAN.cores[0].pe_array, PLAN.cores[0].vector_unit)


def test_a_run_pays_for_every_cycle_of_every_core():
    spec = chip(cores=2)
    result, pj = simulate(residual_network(), spec).result, action_energies_pj(spec)
    for core in ("core0", "core1"):
        leaked = result.energy_by_component_pj[f"{core}.leakage"]
        assert leaked == pytest.approx(result.cycles * pj["core.leakage_cycle"])
        busy = max(
            sum(n for cause, n in result.units[f"{core}.{unit}"].items() if CAUSE[cause] in BUSY)
            for unit in ("pe_array", "vector_unit")
        )
        clock = result.energy_by_component_pj[f"{core}.clock"]
        assert clock >= busy * pj["core.clock_cycle"]
        assert clock <= result.cycles * pj["core.clock_cycle"]


def test_the_stores_of_a_pe_are_paid_for_once_a_mac():
    n = NetworkBuilder()
    n.conv(n.input(8, 4, 4), 8, bias=False, post=())
    workload, spec = n.build(), chip(on_chip=65536, weights=8192)
    energy = simulate(workload, spec).result.energy_by_component_pj
    pixels, channels, filters = 16, 8, 8
    macs, pj = pixels * channels * filters, action_energies_pj(spec)
    assert energy["core.pe_store"] == pytest.approx(macs * pj["core.pe_store"])
    assert energy["core.pe_array"] == pytest.approx(macs * pj["mac"])


def test_energies_of_layers_by_component_add_up():
    workload, spec = residual_network(), chip()
    done = simulate(workload, spec)
    counters = action_counters(done.lowered.program, done.lowered.plan, workload)
    by_layer = layer_energies_pj(counters, len(workload.layers))
    total = sum(sum(parts.values()) for parts in by_layer)
    of_time = sum(done.result.energy_by_component_pj[f"core.{x}"] for x in ("leakage", "clock"))
    assert total + of_time == pytest.approx(done.result.energy_pj)
    assert by_layer[0]["core.pe_array"] > 0


def test_bytes_are_counted_in_every_router_and_on_every_link_of_their_way():
    noc = RoutedSpec(kind="ring", width_bytes=16, sizes=(4,))
    workload, spec = residual_network(), chip(cores=4).model_copy(update={"noc": noc})
    lowered = lower(workload, spec)
    counts = {"noc_router_byte": 0, "noc_link_byte": 0}
    for counter in action_counters(lowered.program, lowered.plan, workload):
        if counter.component == "noc":
            counts[counter.action] += counter.count
    tasks = lowered.program.tasks
    moved = {
        core.index: int(tasks["bytes"][np.isin(tasks["unit"], list(core.dma.values()))].sum())
        for core in lowered.plan.cores
    }
    hops = [0, 1, 2, 1]  # DRAM is at router 0 of the ring
    assert counts["noc_link_byte"] == sum(moved[core] * n for core, n in enumerate(hops))
    assert counts["noc_router_byte"] - counts["noc_link_byte"] == sum(moved.values()) > 0


intervals = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, len(CAUSES) - 1)), min_size=1, max_size=8
)


@given(intervals, intervals, st.lists(st.integers(0, 100), max_size=5))
def test_the_clock_runs_while_array_or_vector_unit_is_busy(array, vector, cuts):
    total = max(sum(n for n, _ in parts) for parts in (array, vector))
    bounds = sorted({0, total, *(cut for cut in cuts if cut < total)})
    spans = np.stack([bounds[:-1], bounds[1:]], axis=1)
    columns = {"unit": [], "start": [], "end": [], "cause": []}
    busy = np.zeros(total, dtype=bool)
    for unit, parts in zip(UNITS, (array, vector), strict=True):
        at = 0
        for length, cause in parts:
            row = (unit, at, at + length, cause)
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
            busy[at : at + length] |= cause in BUSY
            at += length
    kept = {name: np.array(values, dtype=np.int64) for name, values in columns.items()}
    counts = {action: np.zeros(len(spans), dtype=int) for action in TIME_ACTIONS}
    for counter in time_counters(PLAN, spans, kept):
        counts[counter.action.rpartition(".")[2]][counter.layer] += counter.count
    for layer, (start, end) in enumerate(spans.tolist()):
        assert counts["leakage_cycle"][layer] == end - start
        assert counts["clock_cycle"][layer] == busy[start:end].sum()
        assert counts["gated_clock_cycle"][layer] == (~busy[start:end]).sum()
