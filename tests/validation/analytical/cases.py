"""Small layers and chips for tests of analytical models."""

from hw_models.chip_files import load_chip
from simulator.mapping.mapping import Mapping
from simulator.result import LayerResult
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload

CHIP = load_chip("edge_os_16x16")


def product(m: int, n: int, k: int, name: str = "mm") -> Layer:
    """An m x k by k x n product with constant weights."""
    dims = LoopDims(k=n, c=k, ox=m, ix=m)
    weight = Operand("w", ("g", "k", "c", "fy", "fx"))
    return Layer(name, LayerOp.MATMUL, dims, (Operand("a"),), f"{name}.out", weight=weight)


def network(*sizes: int) -> Workload:
    """Products of n x n matrices, one after another."""
    tensors = {"a": Tensor("a", sizes[0] ** 2), "w": Tensor("w", sizes[0] ** 2, parameter=True)}
    layers = []
    for number, n in enumerate(sizes):
        layer = product(n, n, n, f"mm{number}")
        layers.append(layer)
        tensors[layer.output] = Tensor(layer.output, n * n)
    return Workload("products", tensors, tuple(layers), ("a",), (layers[-1].output,))


def whole(layer: Layer) -> Mapping:
    """The mapping with one tile."""
    names = ("b", "g", "k", "c", "oy", "ox")
    return Mapping(dict(zip(names, layer.dims.loops, strict=False)), names, {})


def result(cycles: int, ideal: int, causes: dict[str, int], name: str = "mm") -> LayerResult:
    """A simulated layer."""
    return LayerResult(name, "matmul", "", cycles, ideal, 0, 0.0, 0, 0, 0, 0.0, causes)
