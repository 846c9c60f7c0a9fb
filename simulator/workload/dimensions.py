"""Dimensions of a model's inputs that the file leaves open, and the values they are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onnx import GraphProto, ValueInfoProto

from simulator.workload.errors import WorkloadError, did_you_mean


def bind_dimensions(
    graph: GraphProto, inputs: tuple[str, ...], batch: int, dims: Mapping[str, int]
) -> None:
    """Gives every open dimension of the graph's inputs a value, in place.

    batch: for an open first dimension. dims: values of the others, by the name that the file
    gives them, or as "input.axis" where it gives none.
    Raises: WorkloadError when a value is missing, not positive, or fits no open dimension.
    """
    _check_values({"batch": batch, **dims})
    bound = [item for item in graph.input if item.name in inputs]
    for item in bound:
        _check_shape(item)
    _check_names(dims, bound)
    _check_batch(batch, bound)
    values = _first_dimensions(bound, batch) | dict(dims)
    for item in bound:
        _bind(item, values, batch)
    for item in (*graph.value_info, *graph.output):
        _forget_names(item, values)


def _check_values(values: Mapping[str, int]) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise WorkloadError(f"{name} must be a positive int, not {value!r}")


def _check_shape(item: ValueInfoProto) -> None:
    if not item.type.HasField("tensor_type"):
        raise WorkloadError(f"input {item.name} must be a tensor")
    if not item.type.tensor_type.HasField("shape"):
        raise WorkloadError(f"input {item.name} must have a shape")
    for axis, dim in enumerate(item.type.tensor_type.shape.dim):
        if not _is_open(dim) and dim.dim_value < 1:
            raise WorkloadError(
                f"input {item.name}: dimension {axis} must be positive, not {dim.dim_value}"
            )


def _is_open(dim: Any) -> bool:
    return dim.WhichOneof("value") != "dim_value"


def _open_dimensions(item: ValueInfoProto) -> Iterator[tuple[int, Any, str]]:
    """Axis, dimension and name of each open dimension; "input.axis" stands for a missing name."""
    for axis, dim in enumerate(item.type.tensor_type.shape.dim):
        if _is_open(dim):
            yield axis, dim, dim.dim_param or f"{item.name}.{axis}"


def _check_names(dims: Mapping[str, int], bound: list[ValueInfoProto]) -> None:
    known: set[str] = set()
    for item in bound:
        for axis, _, name in _open_dimensions(item):
            known |= {name, f"{item.name}.{axis}"}
    for name in dims:
        if name not in known:
            hint = did_you_mean(name, known)
            raise WorkloadError(f"{name} must be a dimension that the model leaves open{hint}")


def _check_batch(batch: int, bound: list[ValueInfoProto]) -> None:
    shapes = [item.type.tensor_type.shape.dim for item in bound]
    first = [shape[0] for shape in shapes if shape]
    fixed = sorted({dim.dim_value for dim in first if not _is_open(dim)})
    if batch != 1 and fixed and batch not in fixed and not any(_is_open(dim) for dim in first):
        raise WorkloadError(f"batch must be {fixed[0]}, which the model fixes, not {batch}")


def _first_dimensions(bound: list[ValueInfoProto], batch: int) -> dict[str, int]:
    return {name: batch for item in bound for axis, _, name in _open_dimensions(item) if axis == 0}


def _bind(item: ValueInfoProto, values: Mapping[str, int], batch: int) -> None:
    for axis, dim, name in _open_dimensions(item):
        value = values.get(f"{item.name}.{axis}", values.get(name))
        if value is None:
            raise WorkloadError(
                f"input {item.name}: dimension {axis} must be given a value, as in {name}=128"
            )
        dim.dim_value = value


def _forget_names(item: ValueInfoProto, values: Mapping[str, int]) -> None:
    """Replaces names by values; a name of unknown value would be taken for a shape."""
    for dim in item.type.tensor_type.shape.dim:
        if dim.WhichOneof("value") == "dim_param":
            if dim.dim_param in values:
                dim.dim_value = values[dim.dim_param]
            else:
                dim.Clear()
