import re

import pytest

from simulator.fusion.granularity import Granularity
from tests.simulator.fusion.networks import Net, graph_of
from traces.errors import InputError


@pytest.mark.parametrize(
    ("text", "rows", "columns", "by_rate", "by_image"),
    [
        ("layer", None, None, False, False),
        ("image", None, None, False, True),
        ("line", 1, None, False, True),
        ("line:5", 5, None, False, True),
        ("tile:72x60", 72, 60, True, True),
    ],
)
def test_texts_name_the_extents_of_a_tile(text, rows, columns, by_rate, by_image):
    assert Granularity.parse(text) == Granularity(rows, columns, by_rate, by_image)


def test_extents_of_single_layers_are_kept():
    layers = {"conv1": (4, 1, 14)}
    assert Granularity.parse("line", layers) == Granularity(1, by_image=True, layers=layers)


@pytest.mark.parametrize("text", ["", "lines", "line:", "line:-1", "tile:4", "tile:4x4x4"])
def test_other_texts_are_refused(text):
    message = f"granularity must be layer, image, line, line:N or tile:HxW, not {text!r}"
    refused(message, text)


@pytest.mark.parametrize(
    ("text", "key"), [("line:0", "rows"), ("tile:0x4", "rows"), ("tile:4x0", "columns")]
)
def test_empty_tiles_are_refused(text, key):
    refused(f"granularity {text}: {key} must be at least 1, not 0", text)


@pytest.mark.parametrize("extents", [(1, 2), (0, 1, 1), (1, 1, 1.5), (True, 1, 1)])
def test_wrong_extents_of_a_layer_are_refused(extents):
    message = (
        "granularity: conv1 must be three positive ints (channel parts, rows, columns), "
        f"not {extents!r}"
    )
    refused(message, "line", {"conv1": extents})


def refused(message, text, layers=None):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Granularity.parse(text, layers)


def small_network():
    net = Net()
    x = net.window(net.input(2, 8, 8), 4, taps=(3, 3), pad=(1, 1))
    net.softmax(net.window(x, 6, groups=2))
    return net.build("small")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (
            "granularity: l9 must be a layer of small (did you mean l1?)",
            {"layers": {"l9": (1, 1, 1)}},
        ),
        ("parts: l9 must be a layer of small (did you mean l1?)", {"parts": {"l9": 2}}),
        ("parts: l0 must be an int from 1 to 4, not 5", {"parts": {"l0": 5}}),
        ("parts: l0 must be an int from 1 to 4, not 0", {"parts": {"l0": 0}}),
        (
            "parts: l1 must be at most or a multiple of its 2 groups, not 3",
            {"parts": {"l1": 3}},
        ),
        (
            "parts: softmax2 must be 1, as a softmax needs whole rows, not 2",
            {"parts": {"softmax2": 2}},
        ),
        ("overlap must be one of full, horizontal, recompute, not 'none'", {"overlap": "none"}),
        (
            "granularity: overlap must be full to give l0 tiles of its own, not recompute",
            {"layers": {"l0": (1, 1, 1)}, "overlap": "recompute"},
        ),
        ("stack must lie within the layers 0 to 2, not 1 to 3", {"first": 1, "last": 3}),
        ("stack must lie within the layers 0 to 2, not 2 to 1", {"first": 2, "last": 1}),
    ],
)
def test_impossible_graphs_are_refused(message, arguments):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        graph_of(small_network(), "line", **arguments)
