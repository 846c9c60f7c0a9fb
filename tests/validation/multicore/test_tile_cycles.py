"""Tiles on the cores of Stream's heterogeneous chip cost what they cost there."""

import re

import numpy as np
import pytest

from hw_models.chip_files import load_chip
from hw_models.floorplan import link_floorplan
from simulator.fusion.costs import node_costs
from simulator.fusion.granularity import Granularity
from simulator.fusion.graph import fused_graph
from validation.multicore.workloads import REFERENCES, network_of
from validation.reference_file import read_reference, text, whole

CORES = {"OX16_K16": "oxk", "OX28_FX3_FY3": "oxf"}
COLUMNS = {"core": text, "tile_dims": text, "cycles": whole(1)}
GIVEN = read_reference(REFERENCES / "extra" / "tile_cycles.csv", COLUMNS)


@pytest.fixture(scope="module")
def rows_of_resnet18():
    chip = load_chip("stream_4hetero")
    workload = network_of("rn18")
    return fused_graph(workload, Granularity.parse("line"), precision=chip.precision)


def first_node(graph, tile_dims):
    size = {loop: int(n) for loop, n in re.findall(r"([A-Z]+):(\d+)", tile_dims)}
    shape = [size.get(loop, 1) for loop in ("B", "G", "K", "C", "OY", "OX", "FY", "FX")]
    return np.flatnonzero((graph.shape == shape).all(axis=1))[:1]


@pytest.mark.parametrize("row", GIVEN, ids=lambda row: f"{row['core']}-{row['line']}")
def test_a_row_of_a_layer_takes_as_long_as_there(rows_of_resnet18, row):
    chip = load_chip("stream_4hetero")
    core = np.array([chip.core_names.index(CORES[row["core"]])])
    node = first_node(rows_of_resnet18, row["tile_dims"])
    costs = node_costs(rows_of_resnet18, core, link_floorplan(chip), node)
    assert costs.of_nodes("cycles").tolist() == [pytest.approx(row["cycles"], rel=0.02)]
