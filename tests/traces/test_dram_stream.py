import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.small_run import tasks, write_small_run
from traces.commands.export import FILES, command
from traces.errors import InputError
from traces.export import dram_stream
from traces.export.dram_stream import FORMATS, Transfers, requests
from traces.run_folder import read_table
from traces.schema import TASK_KIND

BURST_BYTES = 32

small = st.integers(1, 4)
transfer = st.fixed_dictionaries(
    {
        "start": st.integers(0, 50),
        "length": st.integers(0, 30),
        "address": st.integers(0, 500),
        "run_bytes": st.integers(1, 100),
        **{f"count_{i}": small for i in (1, 2, 3)},
        **{f"stride_{i}": st.integers(0, 300) for i in (1, 2, 3)},
    }
)


def requests_of(task, granule):
    """Cycle and address of a transfer's requests, byte by byte."""
    addresses = []
    for i3 in range(task["count_3"]):
        for i2 in range(task["count_2"]):
            for i1 in range(task["count_1"]):
                at = task["address"] + (
                    i1 * task["stride_1"] + i2 * task["stride_2"] + i3 * task["stride_3"]
                )
                run = [byte // granule * granule for byte in range(at, at + task["run_bytes"])]
                addresses += dict.fromkeys(run)
    n, length = len(addresses), task["end"] - task["start"]
    return [(task["start"] + i * length // n, a) for i, a in enumerate(addresses)]


@given(
    st.lists(transfer, min_size=1, max_size=8),
    st.sampled_from([1, 32, 64]),
    st.sampled_from([1, 7, 1 << 20]),
)
def test_requests_are_those_found_byte_by_byte(transfers, granule, pending):
    transfers.sort(key=lambda task: task["start"])
    for number, task in enumerate(transfers):
        task |= {"task": number, "kind": TASK_KIND["LOAD"], "layer": 0, "operand": 0}
        task["end"] = task["start"] + task.get("length", 0)
    names = dram_stream.NUMBERS
    table = {name: np.array([task[name] for task in transfers]) for name in names}
    most, dram_stream.MOST_PENDING = dram_stream.MOST_PENDING, pending
    try:
        parts = list(requests(Transfers(table, ["l"], ["o"]), granule))
    finally:
        dram_stream.MOST_PENDING = most
    found = [
        triple
        for part in parts
        for triple in zip(
            part.cycle.tolist(), part.row.tolist(), part.address.tolist(), strict=True
        )
    ]
    expected = [
        (cycle, row, address)
        for row, task in enumerate(transfers)
        for cycle, address in requests_of(task, granule)
    ]
    assert found == sorted(expected, key=lambda request: request[:2])


def lines_of(folder, name):
    command(folder, name, burst_bytes=BURST_BYTES, force=True)
    return (folder / FILES[name]).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def run(tmp_path):
    return write_small_run(tmp_path / "run")


def expected_of(run):
    expected = []
    for task in tasks():
        if task["run_bytes"]:
            write = task["kind"] == TASK_KIND["STORE"]
            expected += [(c, task["task"], a, write) for c, a in requests_of(task, BURST_BYTES)]
    return sorted(expected, key=lambda request: request[:2])


def test_dramsim3_gets_address_operation_and_cycle(run):
    lines = lines_of(run, "dramsim3")
    assert lines == [
        f"0x{address:x} {'WRITE' if write else 'READ'} {cycle}"
        for cycle, _, address, write in expected_of(run)
    ]
    # Six bursts of task 0 over 20 cycles, two of task 2 over cycles 10 to 20, four stored.
    assert len(lines) == 2 * 3 + 2 + 4
    assert lines[0] == "0x40 READ 0"
    assert lines[-1] == f"0x{4096 + 96:x} WRITE {90 + 3 * 10 // 4}"


def test_ramulator_gets_loads_and_stores_in_order(run):
    assert lines_of(run, "ramulator") == [
        f"{'ST' if write else 'LD'} 0x{address:x}" for _, _, address, write in expected_of(run)
    ]


def test_the_csv_says_which_tile_of_which_layer_asked(run):
    head, *rows = lines_of(run, "requests")
    assert head == "cycle,address,operation,layer,operand,tile"
    assert rows[0] == "0,0x40,read,conv1,input,0"
    assert rows[-1].split(",")[2:] == ["write", "conv2", "output", "4"]
    assert len(rows) == len(expected_of(run))


def test_the_number_of_requests_is_told(run, capsys):
    command(run, "ramulator", burst_bytes=BURST_BYTES)
    assert capsys.readouterr().out == f"12 requests are in {run / FILES['ramulator']}\n"


def test_every_format_has_a_file_name():
    assert set(FILES) == {"perfetto", *FORMATS}


def test_a_run_without_addresses_is_refused(run, monkeypatch):
    table = read_table(run, "tasks").slice(1, 1)
    monkeypatch.setattr(dram_stream, "read_table", lambda *_: table)
    with pytest.raises(InputError, match=rf"^{run}: must hold transfers with addresses, not none$"):
        command(run, "dramsim3")
