"""Workloads of the multi-core references: chips of the table, networks of Stream's runs."""

import re

import pytest

from hw_models.yaml_file import InputError
from validation.multicore.workloads import (
    CHIP_WORKLOADS,
    REFERENCES,
    chip_workloads,
    network_of,
)
from validation.reference_file import read_reference, text, whole

HEADER = "chip,layer,op,pred,core,B,G,K,C,OY,OX,FY,FX,stride,pad,tiling,macs"
FIRST = "X,0,conv,input,0,1,,8,3,16,16,3,3,1,1,OY split 16,55296"
SECOND = "X,1,conv,0,0,1,,4,8,16,16,1,1,1,0,OY split 16,8192"


@pytest.fixture
def table(tmp_path):
    def write(*rows):
        path = tmp_path / CHIP_WORKLOADS
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        return path

    return write


@pytest.mark.parametrize("chip", ["DepFiN", "DIANA", "AiMC4x4"])
def test_the_chips_have_the_products_of_the_table(chip):
    rows = read_reference(REFERENCES / CHIP_WORKLOADS, {"chip": text, "op": text, "macs": whole(0)})
    products = [row["macs"] for row in rows if (row["chip"], row["op"]) == (chip, "conv")]
    assert chip_workloads()[chip].workload.macs == sum(products)


def test_tiles_are_loops_over_their_splits():
    tiles = chip_workloads()["DIANA"].tiles
    parts, columns = 4, 112 // 8
    assert tiles["conv0"] == (parts, 1, columns)
    assert tiles["maxpool1"] == (1, 1, 56 // 4)
    assert tiles["add8"] == (1, 1, 56)


def test_two_paddings_are_before_and_after():
    first = chip_workloads()["DIANA"].workload.layers[0].dims
    assert (first.iy, first.pad_top) == ((112 - 1) * 2 + 7 - 3 - 2, 3)


def test_layers_read_those_that_the_table_names():
    layers = chip_workloads()["DIANA"].workload.layers
    assert [x.tensor for x in layers[5].inputs] == ["conv3.out", "conv4.out"]
    assert [x.tensor for x in layers[8].inputs] == ["add5.out", "conv7.out"]


@pytest.mark.parametrize(("word", "layers"), [("rn18", 31), ("rn18few", 8)])
def test_networks_of_streams_runs_have_no_biases(word, layers):
    workload = network_of(word)
    assert len(workload.layers) == layers
    assert not any(layer.bias for layer in workload.layers)


def test_an_unknown_network_is_told():
    rule = r"^workload must be one of rn18, rn18few, .*, not 'rn81'$"
    with pytest.raises(ValueError, match=rule):
        network_of("rn81")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([FIRST, FIRST], "line 3: layer must be new, not 0 again"),
        (
            [FIRST.replace("55296", "55297")],
            "line 2: macs must be the product of the loops (55296), not 55297",
        ),
        (
            [SECOND.replace("X,1,conv,0", "X,1,conv,7")],
            "line 2: pred must be input or layers above, not '7'",
        ),
        (
            [FIRST, SECOND.replace(",4,8,16,", ",4,9,16,").replace("8192", "9216")],
            "line 3: layer must read what conv0 makes, (8, 16, 16), not (9, 16, 16)",
        ),
        (
            [FIRST.replace("3,3,1,1,", "3,3,1,one,")],
            "line 2: pad must be one or two whole numbers, not 'one'",
        ),
        (
            [FIRST.replace("conv,input", "lstm,input")],
            "line 2: op must be one of conv, maxpool, add, not 'lstm'",
        ),
    ],
)
def test_a_bad_row_is_one_line(table, rows, message):
    path = table(*rows)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        chip_workloads(path)
