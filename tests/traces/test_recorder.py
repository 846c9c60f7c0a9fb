import json

import numpy as np
import pyarrow as pa
import pytest

from traces.errors import InputError
from traces.recorder import Recorder
from traces.run_folder import read_manifest, read_table
from traces.schema import MANIFEST, SCHEMA_VERSION

WORDS = {
    "kind": ["LOAD", "COMPUTE"],
    "unit": ["a", "b"],
    "server": ["dram"],
    "layer": ["conv1"],
    "operand": ["input"],
    "buffer": ["a.sram"],
    "cause": ["busy/compute", "idle/no_work"],
    "dependence": ["data"],
    "component": ["a"],
    "action": ["mac"],
}
INTERVALS = {
    "unit": [0, 1],
    "start": [0, 0],
    "end": [5, 3],
    "cause": [0, 1],
    "task": [3, -1],
    "packed": [0, 0],
}


def test_a_run_is_read_back_as_it_was_written(tmp_path):
    with Recorder(tmp_path / "run", WORDS, {"network": "n"}) as recorder:
        recorder.write("intervals", INTERVALS)
        recorder.write("intervals", INTERVALS)
        recorder.complete({"cycles": 5})
    table = read_table(tmp_path / "run", "intervals")
    assert table.num_rows == 4
    assert table.column("unit").to_pylist() == ["a", "b"] * 2
    assert table.column("cause").to_pylist() == ["busy/compute", "idle/no_work"] * 2
    assert table.column("end").to_pylist() == [5, 3] * 2
    manifest = read_manifest(tmp_path / "run")
    assert manifest["complete"] is True
    assert manifest["cycles"] == 5
    assert manifest["network"] == "n"
    assert manifest["schema_version"] == SCHEMA_VERSION


def test_a_code_below_zero_is_null(tmp_path):
    with Recorder(tmp_path / "run", WORDS, {}) as recorder:
        recorder.write("intervals", {**INTERVALS, "unit": [-1, 1]})
    assert read_table(tmp_path / "run", "intervals").column("unit").to_pylist() == [None, "b"]


def test_stored_codes_are_never_negative(tmp_path):
    with Recorder(tmp_path / "run", WORDS, {}) as recorder:
        recorder.write("intervals", {**INTERVALS, "unit": [-1, 1]})
    codes = read_table(tmp_path / "run", "intervals").column("unit").chunk(0).indices
    # The buffer itself, as a reader sees it that doesn't know of the mask.
    assert np.frombuffer(codes.buffers()[1], np.int32, 2).tolist() == [0, 1]
    assert codes.is_null().to_pylist() == [True, False]


def write_and_be_interrupted(folder):
    with Recorder(folder, WORDS, {}) as recorder:
        recorder.write("intervals", INTERVALS)
        raise KeyboardInterrupt


def test_a_run_that_fails_leaves_a_readable_trace_that_says_so(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted(tmp_path / "run")
    manifest = read_manifest(tmp_path / "run")
    assert manifest["complete"] is False
    assert manifest["ended_by"] == "KeyboardInterrupt"
    assert read_table(tmp_path / "run", "intervals").num_rows == 2


def test_of_a_killed_run_all_whole_batches_are_readable(tmp_path):
    folder = tmp_path / "run"
    recorder = Recorder(folder, WORDS, {})
    recorder.write("intervals", INTERVALS)
    recorder.write("intervals", INTERVALS)
    recorder.streams["intervals"].close()
    path = folder / "intervals.arrows"
    whole = path.read_bytes()
    sizes = set()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        sizes.add(read_table(folder, "intervals").num_rows)
    assert sizes == {0, 2, 4}
    assert read_manifest(folder)["complete"] is False


def test_a_damaged_complete_run_is_an_error(tmp_path):
    folder = tmp_path / "run"
    with Recorder(folder, WORDS, {}) as recorder:
        recorder.write("intervals", INTERVALS)
        recorder.complete({})
    path = folder / "intervals.arrows"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"^.*run: intervals\.arrows is damaged$"):
        read_table(folder, "intervals")


def test_a_folder_that_is_no_run_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"^.*: not a run folder: manifest\.json can't be read$"):
        read_manifest(tmp_path)


def test_another_schema_version_is_an_error(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(InputError, match=rf"^.*: schema_version must be {SCHEMA_VERSION}, not 99$"):
        read_manifest(tmp_path)


def test_a_missing_table_is_an_error(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps({"schema_version": SCHEMA_VERSION}))
    with pytest.raises(InputError, match=r"^.*: tasks\.arrows is missing$"):
        read_table(tmp_path, "tasks")


def test_strings_are_dictionary_encoded_and_the_dictionary_is_written_once(tmp_path):
    with Recorder(tmp_path / "run", WORDS, {}) as recorder:
        for _ in range(3):
            recorder.write("intervals", INTERVALS)
    data = (tmp_path / "run" / "intervals.arrows").read_bytes()
    assert data.count(b"idle/no_work") == 1
    assert pa.types.is_dictionary(read_table(tmp_path / "run", "intervals").schema.field(0).type)
