"""Parts of a workload: what enters and leaves when some layers are taken out of a network."""

from __future__ import annotations

import pytest

from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload


@pytest.fixture
def residual(network_of):
    """conv a, conv b, c = b + a, pooling d."""
    return network_of(
        [
            ("Conv", "x w1", "a"),
            ("Conv", "a w2", "b"),
            ("Add", "b a", "c"),
            ("GlobalAveragePool", "c", "d"),
        ],
        {"x": (1, 4, 8, 8)},
        "d",
        {"w1": (4, 4, 1, 1), "w2": (4, 4, 1, 1)},
    )


def test_all_layers_are_the_workload(residual):
    whole = residual.slice(0, len(residual.layers) - 1)
    assert whole.layers == residual.layers
    assert set(whole.tensors) == set(residual.tensors)
    assert (whole.inputs, whole.outputs) == (residual.inputs, residual.outputs)


def test_tensor_that_is_read_later_leaves(residual):
    first = residual.slice(0, 1)
    assert first.inputs == ("x",)
    assert first.outputs == ("a", "b")


def test_tensor_that_was_made_before_enters(residual):
    last = residual.slice(2, 3)
    assert set(last.inputs) == {"a", "b"}
    assert last.outputs == ("d",)
    assert not any(tensor.parameter for tensor in last.tensors.values())


def test_weights_stay_parameters(residual):
    part = residual.slice(1, 1)
    assert part.inputs == ("a",)
    assert part.tensors["w2"].parameter
    assert "w1" not in part.tensors


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_macs_of_the_parts_add_up(residual, cut):
    parts = residual.slice(0, cut), residual.slice(cut + 1, 3)
    assert sum(part.macs for part in parts) == residual.macs == 2 * 4 * 4 * 64


def test_readers_and_makers(residual):
    assert residual.consumers()["a"] == [1, 2]
    assert residual.consumers()["d"] == []
    assert residual.producer() == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_layer_that_reads_its_own_input_twice_is_one_reader(network_of):
    net = network_of([("Add", "x x", "y")], {"x": (1, 4)}, "y")
    assert net.consumers()["x"] == [0]


def tensors(*names):
    return {name: Tensor(name, 4) for name in names}


def layer(name, source, output):
    return Layer(name, LayerOp.ACTIVATION, LoopDims(g=4), (Operand(source),), output)


def test_tensor_must_be_known():
    with pytest.raises(ValueError, match=r"^layer a: unknown tensor x$"):
        Workload("net", tensors("y"), (layer("a", "x", "y"),), (), ("y",))


def test_tensor_must_be_made_before_it_is_read():
    layers = (layer("a", "z", "y"), layer("b", "x", "z"))
    with pytest.raises(ValueError, match=r"^layer a reads z before it exists$"):
        Workload("net", tensors("x", "y", "z"), layers, ("x",), ("y",))


def test_layer_names_must_be_unique():
    layers = (layer("a", "x", "y"), layer("a", "y", "z"))
    with pytest.raises(ValueError, match=r"^layer names must be unique, not repeated: a$"):
        Workload("net", tensors("x", "y", "z"), layers, ("x",), ("z",))


@pytest.mark.parametrize("value", [0, -1, 1.0, True])
def test_loop_sizes_must_be_positive_ints(value):
    with pytest.raises(ValueError, match=rf"^ox must be an int of at least 1, not {value!r}$"):
        LoopDims(ox=value)


def test_padding_may_be_zero_but_not_negative():
    assert LoopDims(pad_top=0).pad_top == 0
    with pytest.raises(ValueError, match=r"^pad_top must be an int of at least 0, not -1$"):
        LoopDims(pad_top=-1)
