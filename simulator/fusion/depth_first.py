"""What a chain of layers costs depth first on one core, by kinds of tiles.

Tiles of the last layer are run one after another, by rows, each with its chain through all layers;
what tiles share is kept or made again. Tiles alike are costed once, so a grid of a million tiles is
no more work than one of four. Of every tile of every layer it is told in which memory its input and
output fit beside each other: a local buffer of the array, the buffer of the core, or DRAM. There
its cost begins; what lies elsewhere is copied.
Source: the cost model of DeFiNES (arXiv 2212.05344), in its order of data: the maps of a layer,
then columns kept for the next tile, then rows kept for the next row of tiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw_models.spec import ChipSpec, Operand
from hw_models.tile_cost import tile_cost
from simulator.fusion.costs import layer_window
from simulator.fusion.dependences import OFF_CHIP, Int64s, Read, Stack
from simulator.fusion.figures import Figures
from simulator.fusion.granularity import Granularity
from simulator.fusion.memory_levels import DRAM, Level, Memories
from simulator.fusion.overlap import CHAINED_AXES, Overlap, split_stack
from simulator.fusion.split import Axis
from simulator.workload.graph import LOOPS, Layer, Workload
from traces.errors import InputError

NONE = Figures(0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class DepthFirstCost:
    """Figures of a stack, how many tiles its last layer has and how many kinds of them."""

    figures: Figures
    tiles: int
    kinds: int


@dataclass(frozen=True, slots=True)
class Strip:
    """What tiles do along one axis.

    made, read: outputs and inputs of each layer. fresh: inputs that no earlier tile has left.
    """

    made: tuple[int, ...]
    read: tuple[int, ...]
    fresh: tuple[int, ...]


def depth_first_cost(
    workload: Workload, chip: ChipSpec, granularity: Granularity, overlap: Overlap
) -> DepthFirstCost:
    """Cost of a network as one depth-first stack on the only core of a chip.

    Raises InputError for a chip of several cores or without a dataflow array, and a network that
    is no chain of layers.
    """
    stack = _chain_of(workload)
    memories = Memories.of(chip)
    split = split_stack(stack, granularity, {}, "recompute")
    again = CHAINED_AXES[overlap]
    strips = {
        axis: _strips(
            stack,
            axis,
            [split[i].rows if axis == "y" else split[i].columns for i in stack.numbers],
            axis not in again,
        )
        for axis in "yx"
    }
    kept = {axis: _most_kept(strips[axis]) for axis in "yx"}
    total = _first_weights(stack, memories)
    for rows, many_rows in strips["y"].items():
        for columns, many_columns in strips["x"].items():
            tile = _Tile(stack, memories, rows, columns, kept)
            total += tile.cost().times(many_rows * many_columns)
    tiles = strips["y"].total() * strips["x"].total()
    kinds = len(strips["y"]) * len(strips["x"])
    return DepthFirstCost(total, tiles, kinds)


def _chain_of(workload: Workload) -> Stack:
    stack = Stack.of(workload, 0, len(workload.layers) - 1)
    for number in stack.numbers:
        makers = [read.maker for read in stack.reads[number] if not read.is_weight]
        if makers != [number - 1 if number else OFF_CHIP]:
            name = workload.layers[number].name
            raise InputError(f"layer {name}: its only input must be the layer before, not others")
    return stack


def _input_of(stack: Stack, number: int) -> Read:
    [read] = [read for read in stack.reads[number] if not read.is_weight]
    return read


def _strips(stack: Stack, axis: str, tiles: Sequence[Axis], kept: bool) -> Counter[Strip]:
    """The different strips along an axis, and how many tiles have each.

    tiles: of every layer, what each chain needs of it. kept: whether tiles leave to the next one
    what it needs too.
    """
    made = [_unmade(a.low, a.high, kept) for a in tiles]
    read = [
        _input_of(stack, i).span(axis, *span) for i, span in zip(stack.numbers, made, strict=True)
    ]
    sources = [_unmade(*read[0], kept), *made[:-1]]
    fresh = [
        (np.maximum(low, source_low), np.minimum(high, source_high))
        for (low, high), (source_low, source_high) in zip(read, sources, strict=True)
    ]
    sizes = [np.stack([high - low for low, high in spans]) for spans in (made, read, fresh)]
    tables = np.concatenate(sizes).T.tolist()
    count = len(made)
    return Counter(
        Strip(tuple(row[:count]), tuple(row[count : 2 * count]), tuple(row[2 * count :]))
        for row in tables
    )


def _unmade(low: Int64s, high: Int64s, kept: bool) -> tuple[Int64s, Int64s]:
    """Intervals without what those before have covered, if that is kept."""
    if not kept:
        return low, high
    before = np.concatenate([[0], np.maximum.accumulate(high)[:-1]])
    return np.minimum(np.maximum(low, before), high), high


def _most_kept(strips: Counter[Strip]) -> tuple[int, ...]:
    """Of each layer's input, the most rows or columns that are kept for a tile."""
    kept = [np.subtract(strip.read, strip.fresh) for strip in strips]
    return tuple(np.max(kept, axis=0).tolist())


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a layer of a tile has its maps, what computing it takes, the room left by level."""

    input: Level
    output: Level
    computed: Figures
    left: dict[str, float]


class _Tile:
    """A tile with its chain through all layers."""

    def __init__(
        self,
        stack: Stack,
        memories: Memories,
        rows: Strip,
        columns: Strip,
        kept: dict[str, tuple[int, ...]],
    ) -> None:
        self.stack, self.memories, self.rows, self.columns = stack, memories, rows, columns
        self.layers = stack.workload.layers
        self.kept = kept
        self.weights = _weight_level(stack, memories)

    def cost(self) -> Figures:
        """What the tile takes in all layers."""
        placed = [self._placed(number) for number in self.stack.numbers]
        caches = self._cache_levels(placed)
        total, source = NONE, self.memories.levels[-1]
        for number, found in zip(self.stack.numbers, placed, strict=True):
            total += self._bring(number, source, found.input, caches) + found.computed
            source = found.output
        return total

    def _input_bytes(self, number: int) -> int:
        return _depth(self.layers[number]) * self.rows.read[number] * self.columns.read[number]

    def _output_bytes(self, number: int) -> int:
        d = self.layers[number].dims
        return d.b * d.g * d.k * self.rows.made[number] * self.columns.made[number]

    def _placed(self, number: int) -> Placed:
        """A layer with its maps as far in as they fit beside each other.

        One that leaves no room for what must pass by on its way in or out lies further out.
        Raises InputError where nothing fits.
        """
        levels = self.memories.levels
        least = [0, 0 if number not in self.stack.final else len(levels) - 1]
        while True:
            left = {level.name: level.size_bytes for level in levels}
            sizes = self._input_bytes(number), self._output_bytes(number)
            found = [self._place(size, left, n) for size, n in zip(sizes, least, strict=True)]
            where, to = found
            try:
                return Placed(where, to, self._computed(number, where, to), left)
            except InputError:
                depths = [levels.index(level) for level in found]
                if depths[0] == depths[1]:
                    raise
                inner = depths.index(min(depths))
                least[inner] = depths[inner] + 1

    def _place(self, size: int, left: dict[str, float], least: int = 0) -> Level:
        """The innermost level with room, from one on; the room is then taken."""
        levels = self.memories.levels[least:]
        level = next(level for level in levels if size <= left[level.name])
        left[level.name] -= size
        return level

    def _cache_levels(self, placed: Sequence[Placed]) -> dict[str, Level]:
        """Where columns and rows are kept for other tiles: in room that no layer takes."""
        names = [level.name for level in self.memories.levels]
        left = {name: min(found.left[name] for found in placed) for name in names}
        columns = sum(
            _depth(self.layers[i]) * self.kept["x"][i] * self.rows.read[i]
            for i in self.stack.numbers
        )
        rows = sum(
            _depth(self.layers[i]) * self.kept["y"][i] * self.layers[i].dims.ix
            for i in self.stack.numbers
        )
        return {"x": self._place(columns, left), "y": self._place(rows, left)}

    def _bring(self, number: int, source: Level, where: Level, caches: dict[str, Level]) -> Figures:
        """Put the input of a layer together: what is fresh, what was kept, and keep it again."""
        depth = _depth(self.layers[number])
        fresh = self.rows.fresh[number] * self.columns.fresh[number]
        kept_columns = self.rows.fresh[number] * (
            self.columns.read[number] - self.columns.fresh[number]
        )
        kept_rows = self.rows.read[number] * self.columns.read[number] - fresh - kept_columns
        total = _copied(depth * fresh, source, where)
        for count, cache in ((kept_columns, caches["x"]), (kept_rows, caches["y"])):
            total += _copied(depth * count, cache, where) + _copied(depth * count, where, cache)
        return total

    def _computed(self, number: int, where: Level, to: Level) -> Figures:
        """The computation of a layer, its operands at some levels."""
        layer, memories = self.layers[number], self.memories
        shape = _shape(layer, self.rows.made[number], self.columns.made[number])
        if not shape.all():
            return NONE
        top: tuple[tuple[Operand, str], ...] = (
            ("input", where.name),
            ("weight", self.weights.name),
            ("output", to.name),
            ("psum", to.name),
        )
        streamed = frozenset(operand for operand, name in top if name == DRAM and operand != "psum")
        cost = tile_cost(
            memories.core_with(top),
            memories.chip.precision,
            layer.op.value,
            shape,
            layer_window(layer),
            streamed=streamed,
            stream_bits_per_cycle=memories.dram_bits_per_cycle if streamed else 0,
        )
        moved = cost.stream_read_bytes + cost.stream_write_bytes
        return Figures(cost.cycles, cost.energy_pj + moved * memories.levels[-1].read_pj, moved)


def _depth(layer: Layer) -> int:
    """Elements of a layer's input at one place."""
    return layer.dims.b * layer.dims.g * layer.dims.c


def _shape(layer: Layer, rows: int, columns: int) -> Int64s:
    extent = {"oy": rows, "ox": columns}
    sizes = zip(LOOPS, layer.dims.loops, strict=True)
    return np.array([extent.get(loop, size) for loop, size in sizes], dtype=np.int64)


def _copied(size: int, source: Level, target: Level) -> Figures:
    """Bytes from one level to another."""
    if source is target or not size:
        return NONE
    width = min(source.bytes_per_cycle, target.bytes_per_cycle)
    through_dram = DRAM in (source.name, target.name)
    return Figures(
        -(-size // width), size * (source.read_pj + target.write_pj), size * through_dram
    )


def _weight_bytes(stack: Stack) -> int:
    return sum(stack.workload.layers[i].weight_elements for i in stack.numbers)


def _weight_level(stack: Stack, memories: Memories) -> Level:
    """The innermost level with room for the weights of all layers."""
    size = _weight_bytes(stack)
    return next(level for level in memories.weight_levels if size <= level.size_bytes)


def _first_weights(stack: Stack, memories: Memories) -> Figures:
    """Weights are fetched once."""
    level = _weight_level(stack, memories)
    return _copied(_weight_bytes(stack), memories.weight_levels[-1], level)
