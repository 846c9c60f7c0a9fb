"""A run of two layers on one array, small enough to check by hand."""

import json

import numpy as np

from traces.recorder import Recorder
from traces.schema import CAUSE, CAUSES, DEPENDENCES, MACHINE, TABLES, TASK_KINDS

ARRAY, DMA, DRAM = 0, 1, 2
UNITS = ("core.pe_array", "core.dma", "dram")
LAYERS = ("conv1", "conv2")
END = 100
CLOCK_GHZ = 0.5
BUFFER_BYTES = 4096

WORDS = {
    "kind": TASK_KINDS,
    "unit": UNITS,
    "server": ("dram",),
    "layer": LAYERS,
    "operand": ("input", "output"),
    "buffer": ("core.sram",),
    "cause": CAUSES,
    "dependence": DEPENDENCES,
    "component": ("core.pe_array", "dram"),
    "action": ("mac", "dram_byte"),
}

INTERVALS = (
    # unit, start, end, cause, task
    (ARRAY, 0, 20, "stall/dram_bandwidth", 1),
    (ARRAY, 20, 50, "busy/compute", 1),
    (ARRAY, 50, 60, "busy/fill", 3),
    (ARRAY, 60, 90, "busy/compute", 3),
    (ARRAY, 90, 100, "idle/no_work", -1),
    (DMA, 0, 20, "busy/transfer", 0),
    (DMA, 20, 90, "stall/dependency", 2),
    (DMA, 90, 100, "busy/transfer", 4),
    (DRAM, 0, 20, "busy/transfer", -1),
    (DRAM, 20, 90, "idle/no_work", -1),
    (DRAM, 90, 100, "busy/transfer", -1),
)


def _task(task, kind, unit, layer, start, end, **others):
    given = {"task": task, "unit": unit, "layer": layer, "start": start, "end": end, **others}
    buffer = 0 if "buffer_bytes" in given else -1
    codes = {"kind": TASK_KINDS.index(kind), "buffer": buffer}
    return {**DEFAULT, **given, **codes}


def _load(task, layer, start, end, size, taken, address, run_bytes, **counts):
    return _task(task, "LOAD", DMA, layer, start, end, operand=0, bytes=size, buffer_bytes=taken,
                 address=address, run_bytes=run_bytes, **counts)  # fmt: skip


DEFAULT = {
    **dict.fromkeys(TABLES["tasks"].names, 0),
    **dict.fromkeys(("operand", "blocker"), -1),
    **dict.fromkeys(("count_1", "count_2", "count_3"), 1),
}


def tasks():
    """Rows of the tasks table."""
    return [
        _load(0, 0, 0, 20, 192, 1024, 64, 96, count_1=2, stride_1=256),
        _task(1, "COMPUTE", ARRAY, 0, 20, 50, macs=3000),
        _load(2, 1, 10, 20, 64, 512, 1024, 64),
        _task(3, "COMPUTE", ARRAY, 1, 50, 90, macs=2000),
        _task(4, "STORE", DMA, 1, 90, 100, operand=1, bytes=128, buffer_bytes=256,
              address=4096, run_bytes=128),
    ]  # fmt: skip


EDGES = ((0, 1, "data"), (1, 3, "data"), (2, 3, "data"), (3, 4, "data"), (1, 2, "resource"))
COUNTERS = ((0, 0, 0, 3000, 60.0), (1, 0, 0, 2000, 40.0), (0, 1, 1, 192, 300.0))

MANIFEST = {
    "network": "tiny",
    "chip": "toy",
    "tilesim": "0",
    "chip_spec": {
        "clock_ghz": CLOCK_GHZ,
        "cores": [
            {
                "name": "core",
                "count": 1,
                "buffers": [{"name": "sram", "size_bytes": BUFFER_BYTES}],
            }
        ],
    },
    MACHINE: {"servers": {"dram": {"bytes_per_cycle": "16", "cycles_per_tick": "2"}}},
}

RESULT = {
    "utilisation": 0.5,
    "macs": 5000,
    "cycles": END,
    "peak_bytes": {"core.sram": 2000},
    "layers": [
        {"name": "conv1", "op": "conv2d", "ideal_cycles": 30},
        {"name": "conv2", "op": "conv2d", "ideal_cycles": 20},
    ],
}
"""5000 MACs in 100 cycles at half the peak rate: a peak of 100 MACs a cycle."""


def write_small_run(folder, *, complete=True, manifest=MANIFEST):
    """Write the run; an incomplete one is interrupted after its last row and has no result."""
    try:
        with Recorder(folder, WORDS, manifest) as recorder:
            _write_tables(recorder)
            if not complete:
                raise KeyboardInterrupt
            recorder.complete({"cycles": END})
    except KeyboardInterrupt:
        return folder
    (folder / "result.json").write_text(json.dumps(RESULT), encoding="utf-8")
    return folder


def _write_tables(recorder):
    names = {table: schema.names for table, schema in TABLES.items()}
    rows = [[task[name] for name in names["tasks"]] for task in tasks()]
    recorder.write("tasks", columns(rows, names["tasks"]))
    edges = [(src, dst, DEPENDENCES.index(name)) for src, dst, name in EDGES]
    recorder.write("edges", columns(edges, names["edges"]))
    rows = [(u, s, e, CAUSE[cause], task, 0) for u, s, e, cause, task in INTERVALS]
    recorder.write("intervals", columns(rows, names["intervals"]))
    recorder.write("counters", columns(COUNTERS, names["counters"]))


def columns(rows, names):
    """Rows as a mapping of arrays."""
    arrays = (np.array(column) for column in zip(*rows, strict=True))
    return dict(zip(names, arrays, strict=True))
