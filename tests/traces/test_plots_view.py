import numpy as np
import pytest

from hw_models.chip_files import load_chip
from simulator.run import simulate
from simulator.workload.source import load_network
from tests.traces import small_run
from tests.traces.small_run import END, LAYERS, UNITS, write_small_run
from traces.errors import InputError
from traces.plots.view import load_view
from traces.recorder import Recorder
from traces.schema import CAUSE, CAUSES


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "run"
    workload = load_network("resnet18").slice(0, 4)
    result = simulate(workload, load_chip("edge_os_16x16"), out=folder).result
    return load_view(folder), result


def test_the_trace_says_of_each_layer_what_the_result_says(simulated):
    view, result = simulated
    for seen, layer in zip(view.layers, result.layers, strict=True):
        assert (seen.name, seen.cycles, seen.causes) == (layer.name, layer.cycles, layer.causes)
        assert seen.macs == layer.macs
        assert seen.read_bytes == layer.dram_read_bytes
        assert seen.write_bytes == layer.dram_write_bytes
        assert seen.energy_pj == pytest.approx(layer.energy_pj)
        assert seen.utilisation == pytest.approx(layer.utilisation)


def test_the_trace_says_of_each_unit_what_the_result_says(simulated):
    view, result = simulated
    for cycles in (view.timeline, view.by_layer):
        total = dict(zip(view.units, cycles.sum(axis=2).tolist(), strict=True))
        for unit, causes in result.units.items():
            assert {c: n for c, n in zip(CAUSES, total[unit], strict=True) if n} == causes


def test_the_peak_of_the_chip_is_found_in_the_result(simulated):
    view, _ = simulated
    chip = load_chip("edge_os_16x16")
    array = chip.cores[0].pe_array
    assert view.peak_macs_per_cycle == pytest.approx(array.rows * array.cols)
    assert view.dram_bytes_per_cycle == pytest.approx(float(chip.dram_bytes_per_cycle))


def test_slots_of_a_run_that_keeps_nothing_on_chip_reach_its_peak(simulated):
    view, result = simulated
    slots = view.slots
    for code, buffer in enumerate(slots.buffers):
        mine = slots.buffer == code
        level = [
            slots.bytes[mine & (slots.taken <= at) & (at < slots.freed)].sum()
            for at in np.unique(slots.taken[mine])
        ]
        assert max(level) == result.peak_bytes[buffer]


def test_a_small_run_is_seen_as_it_was_written(tmp_path):
    view = load_view(write_small_run(tmp_path / "run"))
    assert view.units == UNITS
    assert view.end_cycle == END
    assert [layer.name for layer in view.layers] == list(LAYERS)
    first, second = view.layers
    assert (first.start, first.end, second.end) == (0, 50, END)
    assert first.causes == {"busy/compute": 30, "stall/dram_bandwidth": 20}
    assert second.causes == {"busy/compute": 30, "busy/fill": 10, "idle/no_work": 10}
    assert second.shown_causes["busy/compute_partly"] == 30 - 20
    assert second.lost_cycles == 50 - 20
    assert view.energy_pj == {"core.pe_array": 100.0, "dram": 300.0}
    assert view.peak_macs_per_cycle == 5000 / (0.5 * END)


def test_slots_are_taken_from_first_maker_or_load_to_last_user_or_store(tmp_path):
    slots = load_view(write_small_run(tmp_path / "run")).slots
    lives = zip(slots.taken, slots.freed, slots.bytes, strict=True)
    # The stored tile is made by task 3, which goes on with what task 1 began at cycle 20.
    assert sorted(lives) == [(0, 50, 1024), (10, 90, 512), (20, 100, 256)]


def test_an_incomplete_run_is_seen_up_to_its_end(tmp_path):
    view = load_view(write_small_run(tmp_path / "run", complete=False))
    assert not view.complete
    assert view.end_cycle == END
    assert view.layers[0].utilisation == 30 / 50  # without a result: the share of computing
    assert view.peak_macs_per_cycle is None
    assert view.peak_bytes == {}


def test_a_run_without_intervals_is_refused(tmp_path):
    with Recorder(tmp_path / "run", small_run.WORDS, {}):
        pass
    with pytest.raises(InputError, match=r"^.*run: must hold tasks and intervals .*, not none$"):
        load_view(tmp_path / "run")


def test_words_in_another_order_mean_the_same(tmp_path, monkeypatch):
    straight = load_view(write_small_run(tmp_path / "straight"))
    kinds = small_run.TASK_KINDS[::-1]
    monkeypatch.setattr(small_run, "WORDS", {**small_run.WORDS, "kind": kinds})
    monkeypatch.setattr(small_run, "TASK_KINDS", kinds)
    turned = load_view(write_small_run(tmp_path / "turned"))
    assert turned.layers == straight.layers
    assert turned.transfers.bytes.tolist() == straight.transfers.bytes.tolist() == [192, 64, 128]


def test_every_cycle_of_every_unit_is_in_the_timeline(tmp_path):
    view = load_view(write_small_run(tmp_path / "run"))
    assert (view.timeline.sum(axis=1) == np.diff(view.bin_ends)).all()
    assert view.timeline[0, CAUSE["busy/compute"]].sum() == 30 + 30


def test_a_layer_runs_on_the_unit_that_ends_it_last(tmp_path, monkeypatch):
    rows = small_run.tasks()
    rows.append({**rows[1], "task": 5, "unit": small_run.DMA, "end": 45})
    monkeypatch.setattr(small_run, "tasks", lambda: rows)
    view = load_view(write_small_run(tmp_path / "run"))
    assert view.layers[0].unit == UNITS[small_run.ARRAY]
