"""How nodes become layers: one handler per node type, found in the table OPERATORS."""

from __future__ import annotations

from collections.abc import Callable

from simulator.workload.draft import Draft
from simulator.workload.nodes import Node
from simulator.workload.operators import (
    conv,
    elementwise,
    matmul,
    movement,
    normalisation,
    pooling,
    views,
)

Handler = Callable[[Draft, Node], None]

OPERATORS: dict[str, Handler] = {
    **conv.HANDLERS,
    **matmul.HANDLERS,
    **pooling.HANDLERS,
    **elementwise.HANDLERS,
    **normalisation.HANDLERS,
    **views.HANDLERS,
    **movement.HANDLERS,
}
"""Handler of each node type of the standard operator set that can be simulated."""
