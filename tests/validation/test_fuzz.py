"""Random chips and networks: 500 examples here, 10,000 in `python -m validation.bench fuzz`."""

import pytest

from hw_models.pe_array.registry import PE_ARRAYS
from simulator.engine.fabric import MEMORIES
from simulator.workload.graph import LayerOp
from traces.errors import InputError
from validation.bench import fuzz
from validation.fuzz.batch import Batch, run_batch
from validation.fuzz.case import Case
from validation.fuzz.chips import ARRAYS
from validation.fuzz.networks import OPS

BATCHES, EXAMPLES = 10, 50


@pytest.mark.parametrize("number", range(BATCHES))
def test_random_chips_and_networks_run_or_are_refused_in_a_line(number):
    batch = run_batch(number, EXAMPLES, fused=number == 0)
    assert not batch.crash, batch.crash
    assert batch.examples == EXAMPLES
    assert batch.refused < EXAMPLES / 2


def test_every_kind_of_array_and_layer_is_tried():
    assert set(ARRAYS) == set(PE_ARRAYS)
    assert set(OPS) - {"attend"} == {str(op) for op in LayerOp}


def test_a_crash_is_told_with_the_smallest_example(monkeypatch):
    def fails(case):
        raise ZeroDivisionError(f"of {len(case.network.layers)} layers")

    monkeypatch.setattr(Case, "run", fails)
    batch = run_batch(0, 5)
    assert "ZeroDivisionError: of 1 layers" in batch.crash


def test_a_refusal_of_two_lines_is_a_crash(monkeypatch):
    def refuses(_case):
        raise InputError("one\ntwo")

    monkeypatch.setattr(Case, "_simulate", refuses)
    assert "a refusal must be one line, not 'one\\ntwo'" in run_batch(0, 1).crash


def test_examples_run_under_every_memory_model_and_some_are_replayed(monkeypatch):
    seen, replayed = [], []

    def execute(_compiled, _network, memory, recording, _progress):
        seen.append((memory, recording is not None))
        result = type("Result", (), {"layers": (), "units": {}})
        return result, type("Run", (), {"cycles": 0})

    monkeypatch.setattr("validation.fuzz.case.execute", execute)
    monkeypatch.setattr("validation.fuzz.case._check_trace", replayed.append)
    batch = run_batch(0, 20)
    assert not batch.crash
    ran = batch.examples - batch.refused
    assert [memory for memory, recorded in seen if not recorded] == list(MEMORIES) * ran
    assert len(seen) - len(MEMORIES) * ran == len(replayed) > 0


def test_finished_batches_are_not_run_again(tmp_path, monkeypatch, capsys):
    ran = []

    def run(number, examples, fused):
        ran.append((number, fused))
        return Batch(examples, 1)

    monkeypatch.setattr(fuzz, "run_batch", run)
    kept = tmp_path / "new" / "fuzz.json"
    fuzz.run_batches(2, 7, kept)
    assert fuzz.run_batches(5, 7, kept) == [Batch(7, 1)] * 5
    assert ran == [(number, number == 4) for number in range(5)]
    assert capsys.readouterr().out.startswith("batch   0 passed: 7 examples, 1 refused, ")

    kept.write_text("{cut sho", encoding="utf-8")
    fuzz.run_batches(1, 7, kept)
    assert ran[5:] == [(0, False)]


def test_other_sources_begin_anew(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(fuzz, "run_batch", lambda n, *_, **__: ran.append(n) or Batch(1, 0))
    for key in ("a", "b"):
        monkeypatch.setattr(fuzz, "sources_sha256", lambda key=key: key)
        fuzz.run_batches(1, 1, tmp_path / "fuzz.json")
    assert ran == [0, 0]


def test_the_closing_line_counts_crashes(monkeypatch):
    monkeypatch.setattr(fuzz, "run_batches", lambda *_: [Batch(9, 2), Batch(3, 1, "boom")])
    assert fuzz.main() == "examples=12 refused=3 crashes=1"
