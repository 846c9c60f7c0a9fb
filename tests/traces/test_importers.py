"""Traces of other tools: what becomes of them, and what is refused."""

import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from traces.critical_path import critical_path
from traces.errors import InputError
from traces.importers.chrome import read_chrome
from traces.importers.imported import ImportedRun, ImportedTask, write_run
from traces.importers.scalesim import read_scalesim
from traces.importers.tables import read_tables
from traces.replay import replay
from traces.replay_changes import parse_changes
from traces.run_folder import read_manifest, read_table
from traces.stalls import stall_report
from traces.task_graph import load_task_graph

TASKS = """task,unit,start,end,kind,layer
load,dma,0,40,LOAD,l1
mul,array,40,100,COMPUTE,l1
store,dma,100,130,STORE,l1
"""
EDGES = "src,dst\nload,mul\nmul,store\n"


def tables(tmp_path, tasks=TASKS, edges=EDGES):
    """A folder of tables."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "tasks.csv").write_text(tasks)
    if edges:
        (folder / "edges.csv").write_text(edges)
    return folder


def imported(run, folder):
    write_run(run, folder, {})
    return load_task_graph(folder)


def test_tables_become_a_run_that_everything_works_on(tmp_path):
    folder = tables(tmp_path)
    graph = imported(read_tables(folder, {}), tmp_path / "run")
    assert replay(graph).exact == len(graph) == 3
    assert critical_path(graph).cycles.sum() == 130
    assert stall_report(tmp_path / "run").main.sum() == 130
    twice = parse_changes(["array=2x"], graph)
    assert replay(graph, twice).end_cycle == replay(graph, twice, "kept").end_cycle == 130 - 60 / 2
    assert read_manifest(tmp_path / "run")["complete"] is True


def test_the_ledger_of_an_imported_run_has_no_gaps(tmp_path):
    imported(read_tables(tables(tmp_path), {}), tmp_path / "run")
    lengths = {}
    for row in read_table(tmp_path / "run", "intervals").to_pylist():
        lengths[row["unit"]] = lengths.get(row["unit"], 0) + row["end"] - row["start"]
    assert lengths == {"array": 130, "dma": 130}


def test_parquet_is_read_like_csv(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    table = pa.table({"task": [1, 2], "unit": ["a", "a"], "start": [0, 5], "end": [5, 9]})
    pyarrow.parquet.write_table(table, folder / "tasks.parquet")
    graph = imported(read_tables(folder, {}), tmp_path / "run")
    assert graph.tasks["end"].tolist() == [5, 9]


def test_lanes_let_tasks_of_a_unit_overlap(tmp_path):
    tasks = [ImportedTask("a", "dma", 0, 10), ImportedTask("b", "dma", 4, 12)]
    graph = imported(ImportedRun("by hand", tasks, lanes={"dma": 2}), tmp_path / "run")
    assert graph.lanes.tolist() == [2]
    assert replay(graph).end.tolist() == [10, 8]  # nothing is known that holds b up until 4


def rows(*extra):
    return "task,unit,start,end\n" + "\n".join(extra) + "\n"


REFUSED = {
    "cycle": (
        rows("a,u,0,1", "b,u,1,2", "c,u,2,3"),
        "src,dst\na,b\nb,c\nc,b\n",
        "dependences must have no cycle: b -> c -> b",
    ),
    "overlap": (
        rows("a,u,0,5", "b,u,4,9"),
        "",
        "tasks of unit u must not overlap: b starts at cycle 4, before a ends at 5",
    ),
    "too early": (
        rows("a,u,0,5", "b,v,4,9"),
        "src,dst\na,b\n",
        "task b must start at or after cycle 5, when task a ends, not at 4",
    ),
    "backwards": (
        rows("a,u,5,4"),
        "",
        "task a must run forwards from cycle 0 or later, not from 5 to 4",
    ),
    "unknown task": (
        rows("a,u,0,5"),
        "src,dst\na,x\n",
        "an edge must lead between tasks, not 'x'",
    ),
    "twice": (rows("a,u,0,5", "a,u,5,6"), "", "tasks must have different names"),
    "kind": (
        "task,unit,start,end,kind\na,u,0,1,MOVE\n",
        "",
        "kind of task a must be one of LOAD, COMPUTE, STORE, SEND, not 'MOVE'",
    ),
    "fraction": (rows("a,u,0,1.5"), "", "end of task a must be a whole number, not 1.5"),
    "dependence": (
        rows("a,u,0,1", "b,u,1,2"),
        "src,dst,dependence\na,b,luck\n",
        "dependence must be one of data, credit, resource, not 'luck'",
    ),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_impossible_tables_are_refused(name, tmp_path):
    tasks, edges, message = REFUSED[name]
    folder = tables(tmp_path, tasks, edges)
    with pytest.raises(InputError, match=f"^{re.escape(f'{folder}: {message}')}$"):
        write_run(read_tables(folder, {}), tmp_path / "run", {})


def test_unknown_columns_are_refused(tmp_path):
    folder = tables(tmp_path, "task,unit,begin,end\na,u,0,1\n", "")
    message = (
        f"{folder / 'tasks.csv'}: columns must be task, unit, start, end and may have kind, layer, "
        "bytes, macs, not task, unit, begin, end"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_tables(folder, {})


def test_a_folder_without_tables_is_refused(tmp_path):
    message = rf"^{re.escape(str(tmp_path))}: tasks\.csv, \.arrow or \.parquet is missing$"
    with pytest.raises(InputError, match=message):
        read_tables(tmp_path, {})


# -- SCALE-Sim


def scalesim(tmp_path):
    """Two layers; inputs are fetched before cycle 0."""
    first, second = (tmp_path / "results" / name for name in ("layer0", "layer1"))
    for folder in (first, second):
        folder.mkdir(parents=True)
    (first / "IFMAP_DRAM_TRACE.csv").write_text("-2.0,0.0,1.0\n-1.0,2.0,-1.0\n5.0,3.0,4.0\n")
    (first / "IFMAP_SRAM_TRACE.csv").write_text("0,7,8\n1,-1,-1\n2,9,-1\n3,9,9\n")
    (second / "OFMAP_SRAM_TRACE.csv").write_text("0,1,2\n1,3,4\n")
    return tmp_path / "results"


def test_neighbouring_accesses_are_one_task_and_layers_follow_one_another(tmp_path):
    run = read_scalesim(scalesim(tmp_path), word_bytes=2)
    found = [(t.layer, t.unit, t.kind, t.start, t.end, t.bytes) for t in run.tasks]
    before = 2  # cycles of prefetch
    end = before + 6
    assert found == [
        ("layer0", "dram.ifmap", "LOAD", 0, 2, 3 * 2),
        ("layer0", "dram.ifmap", "LOAD", before + 5, end, 2 * 2),
        ("layer0", "sram.ifmap", "COMPUTE", before, before + 1, 2 * 2),
        ("layer0", "sram.ifmap", "COMPUTE", before + 2, before + 4, 3 * 2),
        ("layer1", "sram.ofmap", "COMPUTE", end, end + 2, 4 * 2),
    ]
    graph = imported(run, tmp_path / "run")
    assert graph.end_cycle == end + 2
    assert stall_report(tmp_path / "run").main.sum() == end + 2


def test_a_folder_without_layers_is_refused(tmp_path):
    message = (
        rf"^{re.escape(str(tmp_path))}: must hold folders layer0, layer1, \.\.\. with trace files$"
    )
    with pytest.raises(InputError, match=message):
        read_scalesim(tmp_path)


# -- Chrome


def chrome(tmp_path, events, packed=False):
    path = tmp_path / "trace.json"
    data = json.dumps({"traceEvents": events}).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


EVENTS = [
    {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "dma"}},
    {"ph": "M", "pid": 1, "tid": 2, "name": "thread_name", "args": {"name": "array"}},
    {"ph": "X", "pid": 1, "tid": 1, "name": "load", "cat": "load", "ts": 10, "dur": 0.5},
    {"ph": "B", "pid": 1, "tid": 2, "name": "conv", "ts": 10.5, "args": {"layer": "l1"}},
    {"ph": "X", "pid": 1, "tid": 2, "name": "inner", "ts": 10.75, "dur": 0.25},
    {"ph": "E", "pid": 1, "tid": 2, "ts": 12},
    {"ph": "s", "pid": 1, "tid": 1, "id": 9, "cat": "tile", "ts": 10.25},
    {"ph": "f", "pid": 1, "tid": 2, "id": 9, "cat": "tile", "ts": 10.5},
]


@pytest.mark.parametrize("packed", [False, True])
def test_slices_are_tasks_and_flows_are_edges(packed, tmp_path):
    run = read_chrome(chrome(tmp_path, EVENTS, packed), clock_ghz=2)
    per_us = 2000
    found = [(t.unit, t.kind, t.layer, t.start, t.end) for t in run.tasks]
    assert found == [
        ("dma", "LOAD", "", 0, per_us // 2),
        ("array", "COMPUTE", "l1", per_us // 2, 2 * per_us),
    ]
    graph = imported(run, tmp_path / "run")
    assert np.stack([graph.edges["src"], graph.edges["dst"]]).T.tolist() == [[0, 1]]
    assert replay(graph).exact == 2


def test_slices_that_overlap_without_nesting_are_refused(tmp_path):
    events = [
        {"ph": "X", "pid": 1, "tid": 1, "name": name, "ts": ts, "dur": 4}
        for name, ts in (("a", 0), ("b", 2))
    ]
    path = chrome(tmp_path, events)
    message = (
        f"{path}: tasks of unit 1.1 must not overlap: b#1 starts at cycle 2000, "
        "before a#0 ends at 4000"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        write_run(read_chrome(path), tmp_path / "run", {})


def test_an_end_without_begin_is_refused(tmp_path):
    path = chrome(tmp_path, [{"ph": "E", "pid": 1, "tid": 1, "ts": 3}])
    with pytest.raises(InputError, match=r"^.*: an end at 3 must have a begin before it$"):
        read_chrome(path)


def test_other_json_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"a": 1}')
    message = r"^.*: must be a list of events or hold one as traceEvents$"
    with pytest.raises(InputError, match=message):
        read_chrome(path)
