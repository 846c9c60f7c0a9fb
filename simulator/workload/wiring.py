"""Who makes and who reads each value of a list of nodes, and how nodes are replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from simulator.workload.nodes import Node


class Wiring:
    """Producers and readers of values. kept: values that must stay, such as graph outputs."""

    def __init__(self, nodes: Sequence[Node], kept: Collection[str]) -> None:
        self.nodes = list(nodes)
        self.kept = set(kept)
        self.maker = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
        self.readers: dict[str, set[int]] = {}
        for i, node in enumerate(nodes):
            for name in node.inputs:
                self.readers.setdefault(name, set()).add(i)

    def made_by(self, name: str, *ops: str) -> Node | None:
        """The node that makes a value, if it is of one of these types."""
        index = self.maker.get(name)
        node = self.nodes[index] if index is not None else None
        return node if node is not None and node.op in ops else None

    def is_closed(self, region: Collection[int], output: str) -> bool:
        """Whether nobody outside a set of nodes reads what it makes, `output` apart."""
        inner = {name for i in region for name in self.nodes[i].outputs if name} - {output}
        return not inner & self.kept and all(
            self.readers.get(name, set()) <= set(region) for name in inner
        )


def replace_regions(
    nodes: Sequence[Node], regions: Iterable[tuple[Collection[int], Node]]
) -> list[Node]:
    """The nodes with each region replaced by one node, at the place of its last node."""
    gone: set[int] = set()
    instead: dict[int, Node] = {}
    for region, node in regions:
        gone.update(region)
        instead[max(region)] = node
    return [instead.get(i, node) for i, node in enumerate(nodes) if i in instead or i not in gone]


def merged_node(nodes: Sequence[Node], region: Collection[int], node: Node) -> Node:
    """`node` with the names of the region's nodes as its sources."""
    sources = tuple(name for i in sorted(region) for name in nodes[i].sources)
    return Node(node.name, node.op, node.inputs, node.outputs, node.attributes, sources=sources)
