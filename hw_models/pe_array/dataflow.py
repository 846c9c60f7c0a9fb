"""Array described by its spatial unrolling, its registers and its local buffers.

What such a core takes for a tile depends on the order of its loops and on the ports of all its
memories: see `hw_models.tile_cost`, which knows the buffers of the core as well. The array alone,
as the engine asks for it, counts the steps of the unrolled loops and the words that they need.
Source: the cores of ZigZag (Mei et al., IEEE Trans. Computers 70(8), 2021) and Stream (Symons et
al., IEEE Trans. Computers 74(1), 2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from hw_models.pe_array.shapes import check_shapes
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS, DenseArray, Int64s
from hw_models.pe_array.window import distinct_inputs
from hw_models.yaml_file import Strict

Loop = Literal["b", "g", "k", "c", "oy", "ox", "fy", "fx"]
Held = Literal["input", "weight", "output"]
Text = Annotated[str, Field(min_length=1)]
Size = Annotated[int, Field(ge=1, le=1 << 40)]
Lanes = Annotated[int, Field(ge=1, le=1 << 16)]
Picojoules = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=False)]


class StoreSpec(Strict):
    """Registers or a local buffer between the multipliers and the buffers of the core.

    holds: operands. size_bits, width_bits: of one copy, and of each of its ports a cycle. banks:
    an access may be of one bank only. ports: "1rw", "1r1w", "2rw", "2r2w". read_pj, write_pj: of an
    access of the whole width. shared_along: numbers of the array dimensions along which one copy
    serves all PEs; along the others each lane has its own.
    """

    name: Text
    holds: tuple[Held, ...] = Field(min_length=1, strict=False)
    size_bits: Size
    width_bits: Size
    banks: Annotated[int, Field(ge=1, le=1 << 16)]
    ports: Literal["1rw", "1r1w", "2rw", "2r2w"]
    read_pj: Picojoules
    write_pj: Picojoules
    shared_along: tuple[Annotated[int, Field(ge=0)], ...] = Field(strict=False)


class BufferEnergy(Strict):
    """Energy of accesses of the whole width of one of the core's buffers, by its name."""

    name: Text
    read_pj: Picojoules
    write_pj: Picojoules


class DataflowSpec(Strict):
    """A dataflow array.

    lanes: PEs along each dimension of the array. unrollings: the loops that lie on these
    dimensions, in their order; of several unrollings each tile takes the best. mac_pj: of an
    operation of a PE. stores: from the multipliers outwards. buffers: energies of those of the
    core. mapping: what the order of loops is chosen for. last_store: whether a tile ends when its
    last results are in the buffer of the core ("waits"), or when they are made ("overlaps").
    """

    kind: Literal["dataflow"]
    lanes: tuple[Lanes, ...] = Field(min_length=1, strict=False)
    unrollings: tuple[Annotated[tuple[Loop, ...], Field(strict=False)], ...] = Field(
        min_length=1, strict=False
    )
    mac_pj: Picojoules
    stores: tuple[StoreSpec, ...] = Field(strict=False)
    buffers: tuple[BufferEnergy, ...] = Field(strict=False)
    mapping: Literal["latency", "energy"]
    last_store: Literal["waits", "overlaps"]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        dimensions = len(self.lanes)
        for loops in self.unrollings:
            if len(loops) > dimensions or len(set(loops)) < len(loops):
                raise ValueError(
                    f"unrollings must be of at most {dimensions} different loops, not "
                    f"{', '.join(loops)}"
                )
        for store in self.stores:
            if any(dimension >= dimensions for dimension in store.shared_along):
                raise ValueError(
                    f"stores must be shared along dimensions below {dimensions}, not "
                    f"{store.name} along {max(store.shared_along)}"
                )
        names = [store.name for store in self.stores]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"stores must have different names, not {name!r} twice")
        return self


class DataflowArray(DenseArray):
    """Timing of a dataflow array on its own: one step a cycle, operands always there."""

    def __init__(self, spec: DataflowSpec) -> None:
        self.spec = spec

    @property
    def peak_macs_per_cycle(self) -> int:
        """All PEs."""
        return prod(self.spec.lanes)

    @property
    def spatial_loops(self) -> dict[str, int]:
        """The loops of the first unrolling."""
        loops = zip(self.spec.unrollings[0], self.spec.lanes, strict=False)
        return {loop: lanes for loop, lanes in loops if lanes > 1}

    def timing(self, shapes: Int64s, window: Int64s) -> Int64s:
        """Timing of tiles. shapes: (n, 8); window: (4,). Returns int64 (n, len(TIMING_COLUMNS)).

        Weights are read for every step in which they change, inputs for every step, sums stay.
        Raises ValueError for a loop size below 1 or a tile whose counts may exceed 64 bits.
        """
        check_shapes(shapes, 2)
        rows = [self._row(tuple(int(n) for n in s), window) for s in shapes]
        return np.array(rows, dtype=np.int64).reshape(len(shapes), len(TIMING_COLUMNS))

    def _row(self, sizes: tuple[int, ...], window: Int64s) -> tuple[int, ...]:
        size = dict(zip(SHAPE_COLUMNS, sizes, strict=True))
        steps = min(
            (steps_of(self.spec, n, size) for n in range(len(self.spec.unrollings))), key=_all
        )
        rows, columns = (
            distinct_inputs(size["o" + axis], size["f" + axis], int(window[n]), int(window[n + 2]))
            for n, axis in enumerate("yx")
        )
        inputs = size["b"] * size["g"] * size["c"] * rows * columns * steps["k"]
        weights = size["g"] * size["k"] * size["c"] * size["fy"] * size["fx"]
        outputs = size["b"] * size["g"] * size["k"] * size["oy"] * size["ox"]
        return _all(steps), 0, inputs, weights, 0, outputs


def steps_of(spec: DataflowSpec, unrolling: int, size: Mapping[str, int]) -> dict[str, int]:
    """Steps of each loop with the loops of an unrolling spread over their lanes."""
    lanes: dict[str, int] = dict(zip(spec.unrollings[unrolling], spec.lanes, strict=False))
    return {loop: -(-n // lanes.get(loop, 1)) for loop, n in size.items()}


def _all(steps: Mapping[str, int]) -> int:
    return prod(steps.values())
