"""SCALE-Sim topology files, the bundled ones and bad ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.workload.errors import WorkloadError
from simulator.workload.graph import LayerOp, LoopDims
from simulator.workload.scalesim_import import (
    TopologyRow,
    TopologyWarning,
    load_topology,
    read_topology,
)

INPUTS = Path(__file__).parents[3] / "validation" / "references" / "scalesim_inputs"
CONV_HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"  # noqa: E501
GEMM_HEADER = "Layer, M, N, K,\n"


def exactly(text):
    return f"^{re.escape(text)}$"


@pytest.fixture
def topology(tmp_path):
    """Writes a topology file."""

    def write(text, *, encoding="utf-8"):
        path = tmp_path / "net.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_alexnet():
    net = load_topology(INPUTS / "alexnet_conv.csv")
    assert [layer.name for layer in net.layers] == [f"Conv{i}" for i in range(1, 6)]
    first = net.layers[0]
    out = -(-(224 - 11 + 4) // 4)  # ceil: a last window that is partly outside counts
    assert out == 55
    assert first.op is LayerOp.CONV2D
    assert first.dims == LoopDims(
        k=96, c=3, oy=out, ox=out, fy=11, fx=11, iy=224, ix=224, stride_y=4, stride_x=4
    )
    assert net.macs == sum(
        size**2 * k * c * f**2
        for size, f, c, k in (
            (55, 11, 3, 96), (23, 5, 96, 256), (11, 3, 256, 384), (11, 3, 384, 384),
            (11, 3, 384, 256),
        )
    )  # fmt: skip


def test_resnet18_without_a_comma_or_newline_at_the_end():
    net = load_topology(INPUTS / "resnet18_conv.csv")
    assert len(net.layers) == 21
    last = net.layers[-1]
    assert (last.name, last.dims.k, last.dims.c) == ("FC", 1000, 512)


def test_vit_as_matrix_products():
    net = load_topology(INPUTS / "vit_s_gemm.csv")
    assert [layer.dims for layer in net.layers] == [
        LoopDims(k=n, c=k, ox=m, ix=m)
        for m, n, k in (
            (196, 192, 384), (196, 1176, 64), (196, 64, 1176), (196, 1536, 384), (196, 384, 1536)
        )
    ]  # fmt: skip
    assert {layer.op for layer in net.layers} == {LayerOp.MATMUL}


def test_line_ends_of_another_system():
    net = load_topology(INPUTS / "transformer_partial_gemm.csv")
    assert len(net.layers) == 6
    assert net.layers[-1].dims == LoopDims(k=2048, c=2048, ox=128, ix=128)


def test_sparsity_of_a_convolution():
    kind, rows = read_topology(INPUTS / "sparsity_conv.csv")
    assert kind == "conv"
    assert rows == [TopologyRow("CONV_1", (5, 5, 3, 3, 2, 6, 1), (2, 4))]


def test_repeated_names_are_made_unique():
    path = INPUTS / "sparsity_gemm.csv"
    assert [row.sparsity for row in read_topology(path)[1]] == [(3, 4), (1, 4)]
    net = load_topology(path)
    assert [layer.name for layer in net.layers] == ["GEMM_1", "GEMM_1_2"]
    assert [layer.dims.ox for layer in net.layers] == [3, 1]


def test_repeated_names_do_not_take_names_that_are_there(topology):
    text = GEMM_HEADER + "".join(f"{name}, 1, 1, 1,\n" for name in ("A", "A", "A_2", "A", "A_2"))
    names = [layer.name for layer in load_topology(topology(text)).layers]
    assert names[0] == "A"
    assert names[2] == "A_2"
    assert len(set(names)) == 5


@pytest.mark.parametrize("path", sorted(INPUTS.glob("*.csv")), ids=lambda path: path.stem)
def test_every_layer_has_an_input_of_its_own(path):
    net = load_topology(path)
    assert len(set(net.inputs)) == len(net.layers) == len(set(net.outputs))
    for layer in net.layers:
        d = layer.dims
        assert net.tensors[layer.inputs[0].tensor].elements == d.g * d.c * d.iy * d.ix
        assert net.tensors[layer.weight.tensor].parameter
        assert (d.pad_top, d.pad_left) == (0, 0)
        assert layer.macs == d.g * d.k * d.c * d.oy * d.ox * d.fy * d.fx


@pytest.mark.parametrize("rows", [10, 11, 12, 13])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_output_is_rounded_up(topology, rows, stride):
    text = CONV_HEADER + f"L, {rows}, {rows}, 3, 3, 1, 2, {stride},\n"
    dims = load_topology(topology(text)).layers[0].dims
    windows = [start for start in range(0, rows, stride) if start - stride + 3 < rows]
    assert dims.oy == dims.ox == len(windows)


def test_marked_layer_is_depthwise(topology):
    net = load_topology(topology(CONV_HEADER + "DP_1, 10, 10, 3, 3, 16, 1, 1,\n"))
    dims = net.layers[0].dims
    assert (dims.g, dims.k, dims.c) == (16, 1, 1)
    assert net.macs == 16 * 8 * 8 * 9


def test_one_filter_over_many_channels_is_suspicious(topology):
    path = topology(CONV_HEADER + "L, 10, 10, 3, 3, 16, 1, 1,\n")
    text = "L: one filter over 16 channels; depthwise only with DP in the name"
    with pytest.warns(TopologyWarning, match=exactly(text)):
        net = load_topology(path)
    assert (net.layers[0].dims.g, net.layers[0].dims.c) == (1, 16)


@pytest.mark.parametrize(
    "text",
    [
        GEMM_HEADER + "A, 1, 2, 3",
        GEMM_HEADER + "A, 1, 2, 3,\n\n\n",
        GEMM_HEADER + ",,,,\nA, 1, 2, 3,\n",
        GEMM_HEADER + "A , 1 ,2,  3 , a note, another,\n",
        GEMM_HEADER + "total,,,,\nA, 1, 2, 3,\n",
        GEMM_HEADER.replace("\n", "\r\n") + "A,1,2,3,\r\n",
        "\ufeff" + GEMM_HEADER + "A,1,2,3,\n",
        "Layer,M,N,K\nA,1,2,3\n",
    ],
)
def test_harmless_deviations(topology, text):
    assert read_topology(topology(text)) == ("gemm", [TopologyRow("A", (1, 2, 3))])


def test_kind_may_be_given_where_the_header_does_not_tell(topology):
    path = topology("whatever\nA, 1, 2, 3,\n")
    assert read_topology(path, "gemm") == ("gemm", [TopologyRow("A", (1, 2, 3))])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ":1: header must name M, N, K or IFMAP and filter sizes, not ''"),
        ("a, b, c\n", ":1: header must name M, N, K or IFMAP and filter sizes, not 'a, b, c'"),
        (GEMM_HEADER, ": topology must have layers; no row has a name and numbers"),
        (GEMM_HEADER + "A, 1, 2,\n", ":2: K must be a positive int, not ''"),
        (GEMM_HEADER + "A, 1\n", ":2: row must have 3 numbers, not 1"),
        (GEMM_HEADER + "A, 1, 0, 3,\n", ":2: N must be a positive int, not '0'"),
        (GEMM_HEADER + "A, 1, -2, 3,\n", ":2: N must be a positive int, not '-2'"),
        (GEMM_HEADER + "A, 1, 2, 3,\nB, x, 2, 3,\n", ":3: M must be a positive int, not 'x'"),
        (GEMM_HEADER + "A, 1.5, 2, 3,\n", ":2: M must be a positive int, not '1.5'"),
        (GEMM_HEADER + "A, 1, 2, 3, 5:4,\n",
         ":2: sparsity must be N:M with 1 <= N <= M, not 5:4"),
        (GEMM_HEADER + "A, 1, 2, 3, 0:4,\n",
         ":2: sparsity must be N:M with 1 <= N <= M, not 0:4"),
        (CONV_HEADER + "L, 5, 5, 7, 3, 1, 1, 1,\n",
         ":2: filter must not be larger than the IFMAP, as 7x3 on 5x5"),
        (CONV_HEADER + "L, 5, 5, 3, 3, 1, 1,\n", ":2: stride must be a positive int, not ''"),
        (CONV_HEADER + "L, 5, 5, 3, 3, 1, 1, 0,\n", ":2: stride must be a positive int, not '0'"),
    ],
)  # fmt: skip
def test_bad_topology(topology, text, error):
    with pytest.raises(WorkloadError, match=exactly(f"net.csv{error}")):
        load_topology(topology(text))


def test_file_that_is_no_text(topology):
    path = topology("Layer, M, N, K,\n\xe9", encoding="latin-1")
    with pytest.raises(WorkloadError, match=exactly("net.csv: file must be text in UTF-8")):
        load_topology(path)


def test_missing_topology(tmp_path):
    text = "net.csv: file must be readable: No such file or directory"
    with pytest.raises(WorkloadError, match=exactly(text)):
        load_topology(tmp_path / "net.csv")


def test_unknown_kind(topology):
    with pytest.raises(WorkloadError, match=exactly("net.csv: kind must be conv or gemm, not fc")):
        load_topology(topology(GEMM_HEADER), "fc")
