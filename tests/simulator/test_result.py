import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hw_models.cost.energy import action_energies_pj
from simulator.mapping.mapping import LayerMappingSpec
from simulator.report import layer_table, lost_cycles, total_lines
from simulator.result import LayerResult
from simulator.run import simulate
from tests.simulator.networks import NetworkBuilder, chip, residual_network
from traces.layers import InTurn, causes_by_layer
from traces.schema import CAUSE, CAUSES

COMPUTE, FILL, IDLE = CAUSE["busy/compute"], CAUSE["busy/fill"], CAUSE["idle/no_work"]


def assert_result_adds_up(workload, done):
    """Cycles, causes, energy and traffic of the layers add up to those of the run."""
    result = done.result
    assert sum(layer.cycles for layer in result.layers) == result.cycles > 0
    for layer in result.layers:
        assert sum(layer.causes.values()) == layer.cycles
        assert 0 <= layer.utilisation <= 1
    for causes in result.units.values():
        assert sum(causes.values()) == result.cycles
    assert sum(layer.energy_pj for layer in result.layers) == pytest.approx(result.energy_pj)
    assert sum(result.energy_by_component_pj.values()) == pytest.approx(result.energy_pj)
    assert result.macs == workload.macs
    assert result.utilisation <= 1


def test_a_network_adds_up():
    workload = residual_network()
    assert_result_adds_up(workload, simulate(workload, chip()))


def test_the_energy_of_one_convolution_is_counts_times_table():
    n = NetworkBuilder()
    n.conv(n.input(8, 4, 4), 8, bias=False, post=())
    workload, spec = n.build(), chip(on_chip=65536, weights=8192)
    done = simulate(workload, spec, mappings={"conv0": LayerMappingSpec()})  # one tile
    pj, energy = action_energies_pj(spec), done.result.energy_by_component_pj
    pixels, channels, filters = 16, 8, 8
    assert energy["core.pe_array"] == pytest.approx(pixels * channels * filters * pj["mac"])
    moved = pixels * channels + channels * filters + pixels * filters  # all multiples of a burst
    assert energy["dram"] == pytest.approx(moved * pj["dram_byte"])
    assert energy["noc"] == pytest.approx(moved * pj["noc_byte"])
    written, read = channels * filters, channels * filters  # each weight once in, once out
    weights = written * pj["core.weights.write_byte"] + read * pj["core.weights.read_byte"]
    assert energy["core.weights"] == pytest.approx(weights)
    # inputs in and out, 32-bit sums in and, to be requantised, out; the output in and out
    sums = 4 * pixels * filters
    act_in = pixels * channels + sums + pixels * filters
    act_out = pixels * channels + sums + pixels * filters
    assert energy["core.act"] == pytest.approx(
        act_in * pj["core.act.write_byte"] + act_out * pj["core.act.read_byte"]
    )


intervals = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([COMPUTE, FILL, IDLE])), min_size=1
)


@given(intervals, st.lists(st.integers(0, 100), max_size=6))
def test_spans_get_the_causes_of_their_cycles(parts, cuts):
    ends = np.cumsum([n for n, _ in parts])
    total = int(ends[-1])
    kept = {
        "unit": np.zeros(len(parts), dtype=np.int64),
        "start": np.concatenate([[0], ends[:-1]]),
        "end": ends,
        "cause": np.array([cause for _, cause in parts]),
    }
    bounds = sorted({0, total, *(cut for cut in cuts if cut < total)})
    spans = np.stack([bounds[:-1], bounds[1:]], axis=1)
    layers = InTurn(np.array(bounds[1:]), np.zeros(len(spans), dtype=np.int64))
    found = causes_by_layer(layers, kept, np.full(len(parts), -1))
    by_cycle = [cause for n, cause in parts for _ in range(n)]
    for i, (start, end) in enumerate(spans.tolist()):
        for cause in (COMPUTE, FILL, IDLE):
            assert found[i, cause] == by_cycle[start:end].count(cause)


def layer(**causes):
    total = sum(causes.values())
    named = {next(c for c in CAUSES if c.endswith(f"/{name}")): n for name, n in causes.items()}
    return LayerResult("a", "conv2d", "", total, 1, 1, 0.5, 1, 0, 0, 0.0, named)


def test_the_largest_losses_are_named_first_and_those_without_room_summed_up():
    one = layer(compute=500, fill=100, dram_bandwidth=300, dram_latency=50, dependency=50)
    named = "dram_bandwidth 30.0 %, fill 10.0 %, dram_latency 5.0 %, dependency 5.0 %"
    assert lost_cycles(one) == named
    short = "dram_bandwidth 30.0 %, fill 10.0 %, others 10.0 %"
    assert lost_cycles(one, len(short)) == short
    assert lost_cycles(one, len(short) - 1) == "dram_bandwidth 30.0 %, others 20.0 %"


@pytest.mark.parametrize("width", [70, 80, 100, 120, 160])
def test_the_table_fits_the_terminal_and_cuts_no_number(width):
    result = simulate(residual_network(), chip()).result
    console = Console(width=width, file=io.StringIO())
    console.print(layer_table(result, width))
    text = console.file.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    for one in result.layers:
        assert f" {one.cycles:,} " in text


def test_losses_too_small_to_show_are_not_shown():
    assert lost_cycles(layer(compute=100_000, fill=1)) == ""


def test_totals_give_time_throughput_and_energy():
    result = simulate(residual_network(), chip()).result
    first, second, third = total_lines(result)
    assert first.startswith(f"{result.cycles:,} cycles = {result.cycles / 1e6:,.3f} ms")
    assert "MB read" in second
    assert "pe_array" in third
