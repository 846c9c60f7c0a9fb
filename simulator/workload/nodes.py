"""Nodes of a model file, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from onnx import NodeProto, helper

from simulator.workload.errors import WorkloadError


@dataclass(frozen=True, slots=True)
class Node:
    """One node: what it computes, from which values, into which.

    inputs: names of values; "" for an optional input that is left out.
    sources: names of the model's nodes that this one stands for (several after a rewrite).
    proto: the node as stored; None for a node made by a rewrite.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    sources: tuple[str, ...] = ()
    proto: NodeProto | None = None

    @property
    def label(self) -> str:
        """How errors call this node."""
        return f"node {self.name} ({self.op})"

    def has_input(self, index: int) -> bool:
        """Whether the input of that position is given."""
        return index < len(self.inputs) and self.inputs[index] != ""


def read_node(proto: NodeProto, index: int) -> Node:
    """The node of a model file. index: its position, which names it when it has no name."""
    name = proto.name or f"{proto.op_type.lower()}_{index}"
    return Node(
        name=name,
        op=proto.op_type,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={item.name: _attribute(item) for item in proto.attribute},
        domain="" if proto.domain == "ai.onnx" else proto.domain,
        sources=(name,),
        proto=proto,
    )


def _attribute(item: Any) -> Any:
    value = helper.get_attribute_value(item)
    return value.decode() if isinstance(value, bytes) else value


def in_running_order(nodes: Iterable[Node], available: Iterable[str]) -> list[Node]:
    """The nodes such that each comes after those it reads from, otherwise in the given order.

    available: names of the values that exist from the start.
    Raises: WorkloadError when a value has no producer or the nodes form a cycle.
    """
    waiting, order = list(nodes), []
    known = {"", *available}
    while waiting:
        held_back = []
        for node in waiting:
            if known.issuperset(node.inputs):
                known.update(node.outputs)
                order.append(node)
            else:
                held_back.append(node)
        if len(held_back) == len(waiting):
            raise _blocked(held_back, known)
        waiting = held_back
    return order


def _blocked(nodes: list[Node], known: set[str]) -> WorkloadError:
    made = {name for node in nodes for name in node.outputs}
    for node in nodes:
        for name in node.inputs:
            if name not in known | made:
                return WorkloadError(f"{node.label}: input {name} must be made by some node")
    names = ", ".join(node.name for node in nodes[:4])
    return WorkloadError(f"nodes must not form a cycle, as these do: {names}")
