"""Plain twin of the row-stationary kernels: every PE placed, every word of a pass written down.

Rules: ARCHITECTURE.md RS-1 to RS-10, read a second time and written the long way; slow, for tests.
`Layout` lays one mapping out. `best_mapping_plain` compares all mappings of a tile, by sums that
the tests hold to the layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from hw_models.pe_array.row_stationary import RowStationarySpec, SetMapping
from hw_models.pe_array.timing import Int64s
from hw_models.pe_array.window import distinct_inputs_plain


def layouts_plain(shape: Int64s, window: Int64s, spec: RowStationarySpec) -> Iterator[Layout]:
    """Every mapping of a tile, those included that do not fit. shape: (8,)."""
    _, _, k, c, oy = (int(size) for size in shape[:5])
    sizes = product(
        range(1, oy + 1),
        range(1, min(spec.psum_spad_words, k) + 1),
        range(1, min(spec.ifmap_spad_words, c) + 1),
        range(1, min(spec.rows, c) + 1),
        range(1, min(spec.rows * spec.cols, k) + 1),
    )
    return (Layout(spec, shape, window, SetMapping(*size)) for size in sizes)


def least_cycles_plain(shape: Int64s, window: Int64s, spec: RowStationarySpec) -> int:
    """Fewest cycles of a tile over every mapping that array and scratch pads hold. shape: (8,)."""
    return min(layout.timing()[0] for layout in layouts_plain(shape, window, spec) if layout.fits)


def best_mapping_plain(shape: Int64s, window: Int64s, spec: RowStationarySpec) -> SetMapping:
    """The best of all mappings of a tile by rule RS-9. shape: (8,).

    Fewest cycles; then fewest words moved; then the smallest e, p, q, r and t in this order.
    """
    layouts = (layout for layout in layouts_plain(shape, window, spec) if fits_summed(layout))
    return min((cycles_summed(x), words_summed(x), x.mapping) for x in layouts)[2]


def fits_summed(layout: Layout) -> bool:
    """`Layout.fits` without placing PEs."""
    spec, m = layout.spec, layout.mapping
    segments = -(-m.e // spec.cols)
    stacks = spec.rows // (len(layout.filter_rows[0]) * segments * m.r)
    return layout.fits_scratch_pads and m.t <= stacks * (spec.cols // -(-m.e // segments))


def cycles_summed(layout: Layout) -> int:
    """Cycles of `Layout.timing` without walking through the passes."""
    spec, m, high, taps = layout.spec, layout.mapping, len(layout.filter_rows[0]), layout.taps
    filter_rounds, strips, additions = _rounds(layout)
    filters = m.p * m.q * m.r * m.t * high * taps
    ifmaps = layout.n * m.q * m.r * _ifmap_rows(layout, m.e, high) * _ifmap_columns(layout)
    psums = layout.n * layout.ox * m.e * m.p * m.t
    work = max(
        layout.n * layout.ox * m.p * (m.q * taps + spec.psum_add_cycles),
        -(-ifmaps // spec.ifmap_words_per_cycle),
        -(-psums // spec.psum_words_per_cycle),
    )
    passes = layout.g * filter_rounds * strips * additions
    drain = high * m.r + spec.pipeline_cycles
    return passes * (-(-filters // spec.filter_words_per_cycle) + work) + drain


def words_summed(layout: Layout) -> int:
    """Words of `Layout.timing`, all operands together, without a walk."""
    filter_rounds, strips, additions = _rounds(layout)
    heights = [len(rows) for rows in _blocks(layout.oy, layout.mapping.e)]
    parts = [len(rows) for rows in layout.filter_rows]
    rows = sum(_ifmap_rows(layout, *both) for both in product(heights, parts))
    ifmap = layout.n * layout.c * rows * _ifmap_columns(layout)
    weights = layout.k * layout.c * layout.fy * layout.fx
    psums = layout.n * layout.k * layout.oy * layout.ox
    inputs = filter_rounds * len(layout.filter_columns) * ifmap
    return layout.g * (inputs + strips * weights + psums * (additions + additions - 1))


def _rounds(layout: Layout) -> tuple[int, int, int]:
    """Rounds of filters and of output rows, and passes that add to the same output."""
    m = layout.mapping
    parts = len(layout.filter_rows) * len(layout.filter_columns)
    channel_rounds = -(-layout.c // (m.q * m.r))
    return -(-layout.k // (m.p * m.t)), -(-layout.oy // m.e), channel_rounds * parts


def _ifmap_rows(layout: Layout, rows: int, filter_rows: int) -> int:
    return distinct_inputs_plain(rows, filter_rows, layout.stride_y, layout.dilation_y)


def _ifmap_columns(layout: Layout) -> int:
    return distinct_inputs_plain(layout.ox, layout.fx, layout.stride_x, layout.dilation_x)


class Layout:
    """A mapping of a tile laid out on the array. Sizes are Python ints, sets are written down."""

    def __init__(
        self, spec: RowStationarySpec, shape: Int64s, window: Int64s, mapping: SetMapping
    ) -> None:
        self.spec, self.mapping = spec, mapping
        sizes = (int(size) for size in shape)
        self.n, self.g, self.k, self.c, self.oy, self.ox, self.fy, self.fx = sizes
        self.stride_y, self.stride_x, self.dilation_y, self.dilation_x = (int(w) for w in window)
        self.filter_rows = _shares(self.fy, lambda rows: rows <= spec.rows)
        self.filter_columns = _shares(self.fx, self._window_fits)
        self.taps = len(self.filter_columns[0])

    def _window_fits(self, taps: int) -> bool:
        words = (taps - 1) * self.dilation_x + 1
        return words <= self.spec.ifmap_spad_words and taps <= self.spec.filter_spad_words

    @property
    def fits_scratch_pads(self) -> bool:
        """Whether the scratch pads of a PE hold its rows of ifmaps, filters and psums."""
        m = self.mapping
        words = (self.taps - 1) * self.dilation_x + 1
        return (
            m.q * words <= self.spec.ifmap_spad_words
            and m.p * m.q * self.taps <= self.spec.filter_spad_words
            and m.p <= self.spec.psum_spad_words
        )

    @property
    def fits(self) -> bool:
        """Whether scratch pads and array hold the mapping."""
        m = self.mapping
        needed = len(self.filter_rows[0]) * m.e * m.r * m.t
        return self.fits_scratch_pads and len(self._placed()) == needed

    def _placed(self) -> set[tuple[int, int]]:
        """PEs of all sets: stacks of r sets, each cut into segments no wider than the array."""
        m, high = self.mapping, len(self.filter_rows[0])
        segments = 1
        while -(-m.e // segments) > self.spec.cols:
            segments += 1
        widths = [len(share) for share in _equal(m.e, segments)]
        pes: set[tuple[int, int]] = set()
        stacks = 0
        for top in range(0, self.spec.rows - high * segments * m.r + 1, high * segments * m.r):
            for left in range(0, self.spec.cols - widths[0] + 1, widths[0]):
                stacks += 1
                if stacks <= m.t:
                    for layer, row in product(range(segments * m.r), range(high)):
                        columns = range(left, left + widths[layer % segments])
                        pes |= {(top + layer * high + row, x) for x in columns}
        return pes

    def _ifmap(self, rows: range, filter_rows: range) -> set[tuple[int, int]]:
        """Ifmap positions that some output rows need of some filter rows, whole window wide."""
        return {
            (y * self.stride_y + i * self.dilation_y, x * self.stride_x + j * self.dilation_x)
            for y, i, x, j in product(rows, filter_rows, range(self.ox), range(self.fx))
        }

    def _pass_cycles(self) -> tuple[int, int]:
        """Cycles to load the filters of a pass, and of the pass itself."""
        m, spec, taps = self.mapping, self.spec, self.taps
        cycles_of_a_pe = 0
        for _ in product(range(self.n), range(self.ox), range(m.p)):
            cycles_of_a_pe += sum(1 for _ in product(range(m.q), range(taps)))
            cycles_of_a_pe += spec.psum_add_cycles
        filters = list(
            product(range(m.p * m.t), range(m.q * m.r), self.filter_rows[0], range(taps))
        )
        ifmap = self._ifmap(range(m.e), self.filter_rows[0])
        ifmaps = list(product(range(self.n), range(m.q * m.r), ifmap))
        psums = list(product(range(self.n), range(m.p * m.t), range(m.e), range(self.ox)))
        work = max(
            cycles_of_a_pe,
            _cycles_to_send(ifmaps, spec.ifmap_words_per_cycle),
            _cycles_to_send(psums, spec.psum_words_per_cycle),
        )
        return _cycles_to_send(filters, spec.filter_words_per_cycle), work

    def timing(self) -> list[int]:
        """The timing columns, summed over every pass of the tile."""
        m = self.mapping
        drain = len(self.filter_rows[0]) * m.r + self.spec.pipeline_cycles
        load, work = self._pass_cycles()
        total = [drain, drain, 0, 0, 0, 0]
        blocks = (_blocks(self.k, m.p * m.t), _blocks(self.oy, m.e))
        for _, filters, rows in product(range(self.g), *blocks):
            outputs = self.n * len(filters) * len(rows) * self.ox
            parts = (_blocks(self.c, m.q * m.r), self.filter_rows, self.filter_columns)
            for number, (channels, filter_rows, taps) in enumerate(product(*parts)):
                ifmap = self._ifmap(rows, filter_rows)
                weights = len(filters) * len(channels) * len(filter_rows) * len(taps)
                ifmaps = self.n * len(channels) * len(ifmap)
                row = [load + work, load, ifmaps, weights, outputs if number else 0, outputs]
                total = [a + b for a, b in zip(total, row, strict=True)]
        return total


def _blocks(size: int, extent: int) -> list[range]:
    return [range(i, min(i + extent, size)) for i in range(0, size, extent)]


def _equal(size: int, parts: int) -> list[range]:
    return _blocks(size, -(-size // parts))


def _shares(size: int, fits: Callable[[int], bool]) -> list[range]:
    """Fewest equal shares of which the largest fits."""
    parts = next(n for n in range(1, size + 1) if fits(-(-size // n)))
    return _equal(size, parts)


def _cycles_to_send(words: list, words_per_cycle: int) -> int:
    return len(range(0, len(words), words_per_cycle))
