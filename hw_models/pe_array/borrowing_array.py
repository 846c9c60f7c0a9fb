"""A sparse core as a PE array: tiles timed on masks drawn for their layer.

Rules: ARCHITECTURE.md BORROW-14, BORROW-15. An array by itself is dense; `for_layer` gives the one
that works on a layer of some sparsity, in the configuration that suits it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from hw_models.cost.sparse_overheads import OPERAND_BITS, Sizes
from hw_models.pe_array.borrowing_groups import GroupLayout, block_diagonal
from hw_models.pe_array.borrowing_schedule import Operands, tile_cycles
from hw_models.pe_array.borrowing_window import Core, parse_borrowing
from hw_models.pe_array.shapes import check_shapes
from hw_models.pe_array.timing import TIMING_COLUMNS, Int64s
from hw_models.sparsity.designs import Design
from hw_models.sparsity.layer_sparsity import LayerSparsity
from hw_models.sparsity.masks import parse_mask_model
from hw_models.yaml_file import Strict

SAMPLED_TILES = 4
"""Row and column tiles that are drawn for every kind of output tile."""

Extent = Annotated[int, Field(ge=1, le=1024)]


class BorrowingSpec(Strict):
    """A sparse core as a chip file describes it.

    rows x columns PEs of `lanes` multipliers. configurations: those it can take on, as
    `B(8,0,1,on)`. edge: whether windows wrap around the core. abuf_steps, bbuf_steps: steps that
    the buffers before the multipliers hold of activations and of weights.
    """

    kind: Literal["borrowing"]
    lanes: Annotated[int, Field(ge=1, le=64)]
    columns: Extent
    rows: Extent
    configurations: tuple[str, ...] = Field(min_length=1, strict=False)
    edge: Literal["wrap", "clamp"]
    abuf_steps: Extent
    bbuf_steps: Extent

    @property
    def core(self) -> Core:
        """Its sizes."""
        return Core(self.lanes, self.columns, self.rows)

    @property
    def design(self) -> Design:
        """Its configurations as a design point."""
        parsed = tuple(parse_borrowing(text, self.edge) for text in self.configurations)
        return Design("chip", parsed, "chip", "chip file", "")

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        for borrowing in self.design.configurations:
            borrowing.check(self.core)
            sizes = Sizes.of(borrowing)
            for name, needed in (("abuf", sizes.abuf_steps), ("bbuf", sizes.bbuf_steps)):
                if getattr(self, f"{name}_steps") < needed:
                    raise ValueError(
                        f"{name}_steps must be at least {needed}, which the window of "
                        f"{borrowing.name} spans, not {getattr(self, f'{name}_steps')}"
                    )
        return self


class TileKind(NamedTuple):
    """Output tiles that are alike: the product they belong to and the rows and columns in use."""

    groups: int
    taps: int
    depth: int
    group_columns: int
    rows: int
    columns: int


class Drawn(NamedTuple):
    """Sums over the drawn tiles of a kind. packed_rows: over the drawn column tiles."""

    cycles: int
    executed: int
    packed_rows: int


class BorrowingArray:
    """Timing of a sparse core on layers of one sparsity."""

    def __init__(self, spec: BorrowingSpec, sparsity: LayerSparsity | None = None) -> None:
        self.spec = spec
        self.core = spec.core
        self.sparsity = sparsity or LayerSparsity()
        self.borrowing = spec.design.configuration(
            sparse_weights=self.sparsity.weight_density < 1,
            sparse_activations=self.sparsity.input_density < 1,
        )
        # Size of a packed weight in weights.
        metadata_bits = Sizes.of(self.borrowing).metadata_bits
        self._packed_word = 1 + Fraction(metadata_bits, OPERAND_BITS)
        self._drawn: dict[TileKind, Drawn] = {}

    def for_layer(self, sparsity: LayerSparsity) -> BorrowingArray:
        """The array as it runs layers of some sparsity."""
        return _bound(self.spec, sparsity)

    @property
    def configuration(self) -> str:
        """The name of the configuration that it takes on for its layers."""
        return self.borrowing.name

    @property
    def executed_share(self) -> Fraction:
        """Products of what the configuration skips by: both, one or none of the operands."""
        share = Fraction(1)
        if "A" in self.borrowing.mode:
            share *= Fraction(str(self.sparsity.input_density))
        if "B" in self.borrowing.mode:
            share *= Fraction(str(self.sparsity.weight_density))
        return share

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multipliers; effective MACs of sparse layers may be more."""
        return self.core.multipliers

    @property
    def spatial_loops(self) -> dict[str, int]:
        """Output positions along rows, output channels along columns, channels along lanes."""
        return {"ox": self.core.rows, "k": self.core.columns, "c": self.core.lanes}

    def timing(self, shapes: Int64s, window: Int64s) -> Int64s:
        """Timing of tiles. shapes: (n, 8). Returns int64 (n, len(TIMING_COLUMNS)).

        window: not used, activations come as im2col rows. Weight words are those of the packed
        rows with their metadata. Raises ValueError for a loop size below 1 or a tile whose counts
        may exceed 64 bits.
        """
        check_shapes(shapes, 2)
        rows = [self._tile(tuple(int(size) for size in shape)) for shape in shapes]
        return np.array(rows, np.int64).reshape(len(shapes), len(TIMING_COLUMNS))

    def overlap_cycles(self, shapes: Int64s) -> Int64s:
        """None: the next tile's window opens when this tile's work is done (BORROW-3)."""
        return np.zeros(len(shapes), np.int64)

    def imbalance_cycles(self, shapes: Int64s) -> Int64s:
        """Of each tile's cycles, those lost to lanes that wait for others. int64 (n,).

        A tile without such waits takes the share of its dense cycles that is executed.
        """
        check_shapes(shapes, 2)
        return np.array([self._imbalance(tuple(int(size) for size in s)) for s in shapes], np.int64)

    def weight_ratio(self, shape: Int64s) -> Fraction:
        """Bytes of a tile's packed weights with their metadata over those of the dense weights.

        1 for a configuration that does not pack. shape: (8,).
        """
        if "B" not in self.borrowing.mode:
            return Fraction(1)
        packed = dense = Fraction(0)
        for kind, count in self._kinds(tuple(int(size) for size in shape)):
            packed += count * Fraction(self._draw(kind).packed_rows, SAMPLED_TILES)
            dense += count * ceil(kind.depth / self.core.lanes)
        return packed / dense * self._packed_word

    def _tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        b, g, k, c, oy, ox, fy, fx = shape
        m, depth = b * oy * ox, c * fy * fx
        cycles = packed_rows = 0
        for kind, count in self._kinds(shape):
            drawn = self._draw(kind)
            cycles += count * drawn.cycles
            packed_rows += count * drawn.packed_rows
        word, slots = self._packed_word, self.core.lanes * self.core.columns
        weights = -(-packed_rows * slots * word.numerator // (SAMPLED_TILES * word.denominator))
        if "B" not in self.borrowing.mode:
            weights = ceil(m / self.core.rows) * g * k * depth
        layout = GroupLayout.of(g, depth, k, self.core)
        inputs = ceil(layout.columns / self.core.columns) * m * g * depth
        return -(-cycles // SAMPLED_TILES**2), 0, inputs, weights, 0, m * g * k

    def _imbalance(self, shape: tuple[int, ...]) -> int:
        cycles = balanced = Fraction(0)
        for kind, count in self._kinds(shape):
            drawn, macs = self._draw(kind), kind.rows * kind.columns * kind.depth
            executed = Fraction(drawn.executed, SAMPLED_TILES**2 * macs)
            cycles += Fraction(count * drawn.cycles, SAMPLED_TILES**2)
            balanced += count * ceil(kind.depth / self.core.lanes) * executed
        return max(0, ceil(cycles) - ceil(balanced))

    def _kinds(self, shape: tuple[int, ...]) -> Iterator[tuple[TileKind, int]]:
        """Kinds of output tile of a tile, with how many there are of each."""
        b, g, k, c, oy, ox, fy, fx = shape
        layout = GroupLayout.of(g, c * fy * fx, k, self.core)
        product = (layout.at_once, fy * fx, layout.depth, k)
        for rows, row_count in _cut(b * oy * ox, self.core.rows):
            for columns, column_count in _cut(layout.columns, self.core.columns):
                kind = TileKind(*product, rows, columns)
                yield kind, layout.products * row_count * column_count

    def _draw(self, kind: TileKind) -> Drawn:
        if kind not in self._drawn:
            self._drawn[kind] = self._run(kind)
        return self._drawn[kind]

    def _run(self, kind: TileKind) -> Drawn:
        """Run some tiles of a kind on masks drawn for the layer."""
        borrowing, core = self.borrowing, self.core
        if borrowing.mode == "dense":
            steps, tiles = ceil(kind.depth / core.lanes), SAMPLED_TILES**2
            products = kind.rows * kind.columns * kind.depth
            return Drawn(tiles * steps, tiles * products, SAMPLED_TILES * steps)
        a, b = self._input_mask(kind), self._weight_mask(kind)
        operands = Operands.of(a, b, core, borrowing.shuffle)
        found = tile_cycles(borrowing, core, operands)
        by_depth = {
            "A": a.sum(axis=0) * kind.columns * SAMPLED_TILES,
            "B": b.sum(axis=1) * kind.rows * SAMPLED_TILES,
            "AB": a.sum(axis=0) * b.sum(axis=1),
        }
        executed = int(by_depth[borrowing.mode].sum())
        return Drawn(found.total, executed, int(found.packed_rows.sum()))

    def _input_mask(self, kind: TileKind) -> np.ndarray:
        s, count = self.sparsity, SAMPLED_TILES * kind.rows
        model = parse_mask_model(s.mask_model)
        drawn = model.mask((count, kind.depth), s.input_density, 1, (s.seed, 1, *kind))
        a = np.zeros((SAMPLED_TILES, self.core.rows, kind.depth), np.bool_)
        a[:, : kind.rows] = drawn.reshape(SAMPLED_TILES, kind.rows, kind.depth)
        return a.reshape(-1, kind.depth)

    def _weight_mask(self, kind: TileKind) -> np.ndarray:
        s, count = self.sparsity, SAMPLED_TILES * kind.columns
        depth = kind.depth // kind.groups
        model = parse_mask_model(s.mask_model)
        drawn = model.mask((count, depth), s.weight_density, 0, (s.seed, 0, *kind))
        b = np.zeros((kind.depth, SAMPLED_TILES, self.core.columns), np.bool_)
        for tile, filters in enumerate(drawn.reshape(SAMPLED_TILES, kind.columns, depth)):
            b[:, tile, : kind.columns] = _as_columns(filters, kind)
        return b.reshape(kind.depth, -1)


def _as_columns(filters: np.ndarray, kind: TileKind) -> np.ndarray:
    """B (depth, columns) of filters (columns, depth of a group)."""
    if kind.groups == 1:
        return filters.T
    channels = kind.depth // kind.groups // kind.taps
    by_group = filters.reshape(kind.groups, kind.group_columns, kind.taps, channels)
    return block_diagonal(by_group.transpose(0, 2, 3, 1))


def _cut(size: int, extent: int) -> list[tuple[int, int]]:
    """Full pieces and the rest: (size of a piece, how many)."""
    whole, rest = divmod(size, extent)
    return [(extent, whole)] * (whole > 0) + [(rest, 1)] * (rest > 0)


@lru_cache(maxsize=4096)
def _bound(spec: BorrowingSpec, sparsity: LayerSparsity) -> BorrowingArray:
    return BorrowingArray(spec, sparsity)
