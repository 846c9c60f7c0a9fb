"""Two runs compared: what is said of layers and causes adds up to the difference."""

import pytest

from tests.traces.recorded import CHIPS, record
from tests.traces.test_stalls import three_tasks
from traces.compare import compare
from traces.schema import CAUSE


@pytest.mark.parametrize("name", sorted(set(CHIPS) - {"plain"}))
def test_layers_and_causes_add_up_to_the_difference(name, tmp_path):
    before = record(tmp_path / "a").end_cycle
    after = record(tmp_path / "b", **CHIPS[name]).end_cycle
    found = compare(tmp_path / "a", tmp_path / "b")
    assert (found.before, found.after) == (before, after)
    assert sum(layer.cycles for layer in found.layers) == after - before
    assert sum(found.causes.values()) == after - before
    for layer in found.layers:
        assert layer.cycles == layer.after - layer.before


def test_a_slower_memory_is_named_as_the_reason(tmp_path):
    record(tmp_path / "a")
    record(tmp_path / "b", **CHIPS["slow_dram"])
    found = compare(tmp_path / "a", tmp_path / "b")
    cycles = found.causes["stall/dram_bandwidth"]
    more = found.after - found.before
    line = f"{found.before:,} -> {found.after:,} cycles, {more:+,}"
    assert found.headline().startswith(line)
    assert f"most by stall/dram_bandwidth ({cycles:+,})" in found.headline()


def test_a_run_compared_with_itself_does_not_differ(tmp_path):
    graph = record(tmp_path / "a")
    found = compare(tmp_path / "a", tmp_path / "a")
    assert found.headline() == f"Both runs take {graph.end_cycle:,} cycles."
    assert found.causes == {}


def test_layers_of_one_run_only_count_in_full(tmp_path):
    graph = record(tmp_path / "a")
    folder = three_tasks(tmp_path)
    found = compare(folder, tmp_path / "a")
    (gone,) = (layer for layer in found.layers if layer.layer == "l1")
    assert (gone.before, gone.after, gone.cycles) == (130, None, -130)
    assert gone.change[CAUSE["busy/compute"]] == -60
    assert sum(layer.cycles for layer in found.layers) == graph.end_cycle - 130
