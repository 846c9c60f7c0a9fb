"""Constants of a model: stored ones and those that nodes compute from constants alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.checker import ValidationError

from simulator.workload.errors import WorkloadError
from simulator.workload.nodes import Node

Array = NDArray[Any]

VIEWS = frozenset(
    {
        *("Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand"),
        *("Cast", "CastLike", "QuantizeLinear", "DequantizeLinear"),
    }
)
"""Nodes whose output holds the elements of their first input: no data of its own."""


class Constants:
    """The constant values of a model, computed only when they are asked for.

    Weights may be constants without data, or with data in other files: asking for the values of
    such a constant reads them, asking for anything else does not.
    """

    def __init__(
        self, initializers: Mapping[str, TensorProto], folder: Path | None, opset: int
    ) -> None:
        self._stored = initializers
        self._folder = folder
        self._opset = opset
        self._makers: dict[str, Node] = {}
        self._arrays: dict[str, Array] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._stored or name in self._makers or name in self._arrays

    def add_node(self, node: Node) -> None:
        """Makes the outputs of a node constant; all its inputs must be."""
        self._makers.update({name: node for name in node.outputs if name})

    def add_array(self, name: str, array: Array) -> None:
        """Makes a value constant whose elements are known."""
        self._arrays[name] = array

    def origin(self, name: str) -> str:
        """The constant that holds the elements of this one, going back through views."""
        while name in self._makers and self._makers[name].op in VIEWS:
            name = self._makers[name].inputs[0]
        return name

    def array(self, name: str) -> Array:
        """The values of a constant.

        Raises: WorkloadError when they are stored elsewhere and cannot be read.
        """
        if name not in self._arrays:
            if name in self._stored:
                self._arrays[name] = self._read(self._stored[name])
            else:
                self._compute(self._makers[name])
        return self._arrays[name]

    def scalar(self, name: str) -> float | None:
        """The value of a constant of one element; None for others, or without readable data."""
        try:
            if name not in self or self.array(name).size != 1:
                return None
            return float(self.array(name).reshape(-1)[0])
        except WorkloadError:
            return None

    def _read(self, stored: TensorProto) -> Array:
        external = stored.data_location == TensorProto.EXTERNAL
        if external and self._folder is None:
            raise WorkloadError(f"constant {stored.name} must have its values in the model")
        try:
            return numpy_helper.to_array(stored, str(self._folder or ""))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise WorkloadError(f"constant {stored.name} must have readable values") from error

    def _compute(self, node: Node) -> None:
        from onnx.reference import ReferenceEvaluator  # only models with such nodes pay for it

        feeds = {name: self.array(name) for name in node.inputs if name}
        try:
            values = ReferenceEvaluator(node.proto, opsets={"": self._opset}).run(None, feeds)
        except Exception as error:  # numpy and onnx raise many types, all with one meaning here
            raise WorkloadError(f"{node.label}: constant must be computable: {error}") from error
        made = zip(node.outputs, values, strict=False)
        self._arrays.update({name: np.asarray(value) for name, value in made if name})
