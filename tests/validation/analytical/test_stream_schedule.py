"""Schedules of Stream, read as predictions."""

import json
import re

import pytest

from hw_models.yaml_file import InputError
from tests.validation.analytical.cases import network
from validation.analytical.own import read_predictions
from validation.analytical.prediction import Prediction

NET = network(32, 32, 32)
HEADER = "run,layer,type,core,n_tiles,start,end,busy"
NODES = (
    # layer, core, start, end: two tiles of each of the first two layers, on two cores
    ("mm0", 0, 3, 10),
    ("mm0", 0, 10, 17),
    ("mm1", 1, 12, 20),
    ("mm1", 1, 20, 28),
    ("mm2", 0, 17, 25),
)
CYCLES = {"mm0": 17, "mm1": 28 - 17, "mm2": 0}
"""From the end of all layers before to the layer's own: mm2 ends under the cover of mm1."""


def csv(tmp_path, *rows):
    path = tmp_path / "stream.csv"
    path.write_text("\n".join(["# measured", HEADER, *rows]) + "\n")
    return path


def rows(number=lambda layer: layer):
    return [f"a,{number(name)},conv,{core},1,{s},{e},{e - s}" for name, core, s, e in NODES]


def as_json(tmp_path, nodes):
    path = tmp_path / "stream.json"
    path.write_text(json.dumps(nodes))
    return path


def predicted():
    return {name: Prediction(cycles) for name, cycles in CYCLES.items()}


def test_cycles_of_a_layer_begin_where_those_before_it_end(tmp_path):
    assert read_predictions(csv(tmp_path, *rows()), NET) == predicted()


def test_they_add_up_to_the_end_of_the_schedule(tmp_path):
    given = read_predictions(csv(tmp_path, *rows()), NET)
    assert sum(p.cycles for p in given.values()) == max(end for *_, end in NODES)


def test_numbers_rise_along_the_network_and_may_leave_some_out(tmp_path):
    numbers = {"mm0": 0, "mm1": 3, "mm2": 11}
    assert read_predictions(csv(tmp_path, *rows(numbers.get)), NET) == predicted()


def test_a_list_of_nodes_is_read_alike(tmp_path):
    nodes = [dict(zip(("layer", "core", "start", "end"), node, strict=True)) for node in NODES]
    assert read_predictions(as_json(tmp_path, nodes), NET) == predicted()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["a,mm0,conv,0,1,5,4,1"], "line 3: end must be at least 5, not 4"),
        (["a,mm0,conv,0,1,-5,4,1"], "line 3: start must be a whole number from 0 to"),
        (["a,mm0,conv,0,1,0,4,1", "b,mm1,conv,0,1,0,4,1"], "must hold one run, not a, b"),
        (["a,0,conv,0,1,0,4,1"], "must number the 3 layers of products, not 1"),
    ],
)
def test_tables_that_are_no_schedule(tmp_path, lines, problem):
    path = csv(tmp_path, *lines)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {problem}')}"):
        read_predictions(path, NET)


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        (["mm0"], "node 0: must have layer, start, end"),
        ([{"layer": "mm0", "start": 0}], "node 0: must have layer, start, end"),
        (
            [{"layer": "mm0", "start": 0, "end": 1.5}],
            f"node 0: end must be a whole number from 0 to {2**63 - 1}, not '1.5'",
        ),
    ],
)
def test_lists_that_are_no_schedule(tmp_path, nodes, problem):
    path = as_json(tmp_path, nodes)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {problem}')}$"):
        read_predictions(path, NET)
