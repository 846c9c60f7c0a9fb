"""Which cycles belong to a layer, against a loop over every cycle."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from traces.layers import causes_by_layer, layer_cycles, main_units
from traces.schema import CAUSE, CAUSES, TASK_KIND

COMPUTE, LOAD = TASK_KIND["COMPUTE"], TASK_KIND["LOAD"]
LAYERS, UNITS = 3, 2
BUSY, WAIT = CAUSE["busy/compute"], CAUSE["stall/dependency"]

pieces = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(0, LAYERS - 1)), max_size=6
)
"""For each unit: wait, then compute, for a layer."""


def run_of(units):
    """Columns of tasks and of a ledger in which every unit waits and computes in turn."""
    tasks = {name: [] for name in ("kind", "layer", "unit", "start", "end", "macs")}
    ledger = {name: [] for name in ("unit", "start", "end", "cause", "layer")}
    end = max(sum(wait + work for wait, work, _ in parts) for parts in units)
    for unit, parts in enumerate(units):
        at = 0
        for wait, work, layer in parts:
            task = (COMPUTE, layer, unit, at + wait, at + wait + work, 1)
            for name, value in zip(tasks, task, strict=True):
                tasks[name].append(value)
            for start, stop, cause in ((at, at + wait, WAIT), (at + wait, at + wait + work, BUSY)):
                if stop > start:
                    for name, value in zip(ledger, (unit, start, stop, cause, layer), strict=True):
                        ledger[name].append(value)
            at += wait + work
        if at < end:
            rest = (unit, at, end, CAUSE["idle/no_work"], -1)
            for name, value in zip(ledger, rest, strict=True):
                ledger[name].append(value)
    columns = ({n: np.array(c, dtype=np.int64) for n, c in t.items()} for t in (tasks, ledger))
    return *columns, end


def cycle_by_cycle(ledger, wanted):
    """Causes of the cycles that belong to each layer. wanted: (layer, unit, cycle, of) -> bool."""
    found = np.zeros((LAYERS, len(CAUSES)), dtype=np.int64)
    rows = zip(*(ledger[name].tolist() for name in ledger), strict=True)
    for unit, start, end, cause, of in rows:
        for cycle in range(start, end):
            for layer in range(LAYERS):
                found[layer, cause] += wanted(layer, unit, cycle, of)
    return found


@given(st.tuples(*[pieces] * UNITS))
def test_interleaved_layers_have_the_cycles_of_their_tiles_on_the_unit_that_computes_most(units):
    tasks, ledger, end = run_of(units)
    found = layer_cycles(tasks, LAYERS, end, True)
    computed = [
        [sum(work for _, work, layer in parts if layer == i) for parts in units]
        for i in range(LAYERS)
    ]
    home = [row.index(max(row)) if any(row) else -1 for row in computed]
    assert found.home.tolist() == home
    expected = cycle_by_cycle(ledger, lambda i, unit, _, of: of == i and unit == home[i])
    assert (causes_by_layer(found, ledger, ledger["layer"]) == expected).all()
    assert expected[:, BUSY].tolist() == [max(row) for row in computed]


@given(st.tuples(*[pieces] * UNITS))
def test_layers_in_turn_have_all_cycles_of_the_run(units):
    tasks, ledger, end = run_of(units)
    found = layer_cycles(tasks, LAYERS, end, False)
    ends, home, reached = [], [], 0
    for i in range(LAYERS):
        mine = [
            (stop, -row, unit)
            for row, (layer, unit, stop) in enumerate(
                zip(tasks["layer"], tasks["unit"], tasks["end"], strict=True)
            )
            if layer == i
        ]
        last, _, unit = max(mine, default=(0, 0, home[-1] if home else -1))
        reached = end if i == LAYERS - 1 else max(reached, last)
        ends.append(reached)
        home.append(unit)
    assert (found.ends.tolist(), found.home.tolist()) == (ends, home)
    begins = [0, *ends[:-1]]
    expected = cycle_by_cycle(
        ledger, lambda i, unit, cycle, _: unit == home[i] and begins[i] <= cycle < ends[i]
    )
    causes = causes_by_layer(found, ledger, ledger["layer"])
    assert (causes == expected).all()
    if home[0] >= 0:
        assert causes.sum() == end


def test_a_run_that_died_before_its_first_task_has_no_layers():
    tasks, ledger, end = run_of([[(2, 3, 0)], []])
    nothing = {name: column[:0] for name, column in tasks.items()}
    no_layer = np.full_like(ledger["layer"], -1)
    for interleaved in (False, True):
        found = layer_cycles(nothing, 0, end, interleaved)
        assert causes_by_layer(found, ledger, no_layer).size == 0
    assert main_units(nothing).size == 0


def test_units_that_do_macs_come_before_those_that_only_compute():
    tasks = {
        "kind": np.array([COMPUTE, COMPUTE, LOAD]),
        "unit": np.array([2, 1, 0]),
        "macs": np.array([0, 5, 0]),
    }
    assert main_units(tasks).tolist() == [1]
    assert main_units({**tasks, "macs": np.zeros(3, dtype=np.int64)}).tolist() == [1, 2]
