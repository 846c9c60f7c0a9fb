"""Spatially unrolled MAC array: dot products over some loops at once, weights held for a stripe.

Rules: ARCHITECTURE.md SPA-1 to SPA-8. The terms are NVDLA's: an *atomic operation* is one cycle of
all MACs; a *stripe* is a run of atomic operations at different output positions that reuse the
weights in the MAC cells; the accumulators keep the sums of a stripe until it is complete.
Source: NVDLA hardware documentation, unit description, "Direct Convolution"; nvdla/hw, branch
nv_small, vmod/nvdla/csc/NV_NVDLA_CSC_sg.v (stripe counters, minimum stripe).
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Annotated, Literal, Self

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from hw_models.pe_array.shapes import check_shapes
from hw_models.pe_array.timing import SHAPE_COLUMNS, TIMING_COLUMNS, DenseArray, Int64s
from hw_models.pe_array.window import distinct_inputs
from hw_models.yaml_file import Strict

Extent = Annotated[int, Field(ge=1, le=1 << 16)]


class UnrollSpec(Strict):
    """How far the array unrolls each loop in space; loops not named are walked in time."""

    b: Extent = 1
    g: Extent = 1
    k: Extent = 1
    c: Extent = 1
    oy: Extent = 1
    ox: Extent = 1
    fy: Extent = 1
    fx: Extent = 1

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents in the order of SHAPE_COLUMNS."""
        return (self.b, self.g, self.k, self.c, self.oy, self.ox, self.fy, self.fx)


class SpatialSpec(Strict):
    """A spatially unrolled array.

    unroll: loop -> extent; the product is the number of MACs, {k: 32, c: 64} for NVDLA.
    pipeline_cycles: multipliers, adder tree and accumulators, paid once a tile.
    stripe_cycles: output positions whose sums the accumulators hold, hence the longest run of
    cycles with the same weights; 1 for an array whose weights change every cycle.
    weight_load_cycles: cycles to bring a set of weights into the MAC cells while the stripe before
    runs; a shorter stripe waits for it.
    batch_in_stripe: whether a stripe runs on over the images of a batch.
    """

    kind: Literal["spatial"]
    unroll: UnrollSpec
    pipeline_cycles: Annotated[int, Field(ge=0, le=1000)]
    stripe_cycles: Annotated[int, Field(ge=1, le=1 << 16)]
    weight_load_cycles: Annotated[int, Field(ge=1, le=1 << 16)]
    batch_in_stripe: bool

    @model_validator(mode="after")
    def _stripes_can_hide_the_load(self) -> Self:
        least = 2 * self.weight_load_cycles - 1
        if self.stripe_cycles < least:
            raise ValueError(
                f"stripe_cycles must be at least 2 * weight_load_cycles - 1 ({least}), "
                f"not {self.stripe_cycles}"
            )
        return self


class SpatialArray(DenseArray):
    """Timing of a spatially unrolled array."""

    def __init__(self, spec: SpatialSpec) -> None:
        self.spec = spec

    @property
    def peak_macs_per_cycle(self) -> int:
        """Product of the unrolled extents."""
        return prod(self.spec.unroll.extents)

    @property
    def spatial_loops(self) -> dict[str, int]:
        """Loops that are unrolled by more than one."""
        extents = zip(SHAPE_COLUMNS, self.spec.unroll.extents, strict=True)
        return {loop: extent for loop, extent in extents if extent > 1}

    def timing(self, shapes: Int64s, window: Int64s) -> Int64s:
        """Timing of tiles. shapes: (n, 8); window: (4,). Returns int64 (n, len(TIMING_COLUMNS)).

        Raises ValueError for a loop size below 1 or a tile whose counts may exceed 64 bits.
        """
        check_shapes(shapes, 2 * self.spec.weight_load_cycles + self.spec.pipeline_cycles)
        return spatial_timing(shapes, window, *self._arguments())

    def timing_plain(self, shapes: Int64s, window: Int64s) -> Int64s:
        """`timing` by stepping through every cycle of every tile."""
        rows = [spatial_timing_plain(shape, window, *self._arguments()) for shape in shapes]
        return np.array(rows, dtype=np.int64).reshape(len(shapes), len(TIMING_COLUMNS))

    def _arguments(self) -> tuple[Int64s, int, int, int, bool]:
        s = self.spec
        extents = np.array(s.unroll.extents, dtype=np.int64)
        return (
            extents,
            s.pipeline_cycles,
            s.stripe_cycles,
            s.weight_load_cycles,
            s.batch_in_stripe,
        )


@njit(cache=True)
def stripes(positions: int, longest: int) -> int:
    """Stripes into which output positions are cut (SPA-2)."""
    count = max(0, positions // longest - 1)
    left = positions - count * longest
    half = (longest + 1) // 2
    while left > longest:
        left -= half
        count += 1
    return count + 1


@njit(cache=True)
def _input_positions(
    outputs: int, taps: int, outputs_at_once: int, taps_at_once: int, stride: int, dilation: int
) -> int:
    """Input rows read over all blocks of outputs x taps; a block reads each once (SPA-5)."""
    total = 0
    for tap in range(0, taps, taps_at_once):
        block = min(taps_at_once, taps - tap)
        whole, rest = outputs // outputs_at_once, outputs % outputs_at_once
        total += whole * distinct_inputs(outputs_at_once, block, stride, dilation)
        if rest:
            total += distinct_inputs(rest, block, stride, dilation)
    return total


@njit(cache=True)
def spatial_timing(
    shapes: Int64s,
    window: Int64s,
    extents: Int64s,
    pipeline: int,
    longest: int,
    load: int,
    batch_in_stripe: bool,
) -> Int64s:
    """Timing of tiles. shapes: int64 (n, 8); window: (4,); extents: (8,). Returns int64 (n, 6)."""
    out = np.zeros((shapes.shape[0], 6), dtype=np.int64)
    for i in range(shapes.shape[0]):
        b, g, k, c, oy, ox, fy, fx = shapes[i]
        nb, ng, nk, nc, ny, nx, nfy, nfx = (shapes[i] + extents - 1) // extents
        images = nb if batch_in_stripe else 1
        positions = images * ny * nx
        runs = (nb // images) * ng * nk * nc * nfy * nfx
        wait = max(0, load - positions)
        cycles = load + runs * (positions + wait) - wait + pipeline
        rows = _input_positions(oy, fy, extents[4], extents[6], window[0], window[2])
        columns = _input_positions(ox, fx, extents[5], extents[7], window[1], window[3])
        out[i, 0] = cycles
        out[i, 1] = cycles - runs * positions
        out[i, 2] = nk * b * g * c * rows * columns
        out[i, 3] = (nb // images) * g * k * c * fy * fx * stripes(positions, longest)
        out[i, 5] = b * g * k * oy * ox
    return out


def spatial_timing_plain(
    shape: Int64s,
    window: Int64s,
    extents: Int64s,
    pipeline: int,
    longest: int,
    load: int,
    batch_in_stripe: bool,
) -> list[int]:
    """`spatial_timing` of one tile: runs every stripe, cycle by cycle."""
    blocks = [_blocks(int(n), int(e)) for n, e in zip(shape, extents, strict=True)]
    b, g, k, c, oy, ox, fy, fx = blocks
    inside = [b, oy, ox] if batch_in_stripe else [[range(1)], oy, ox]
    positions = list(product(*inside))
    cycles, useful = load, 0
    reads, weights = 0, 0
    summed: set[tuple] = set()
    for outer in product([range(1)] if batch_in_stripe else b, g, k):
        for stripe in _cut(positions, longest):
            for step in product(c, fy, fx):
                ran = 0
                weights += len(outer[1]) * len(outer[2]) * prod(len(s) for s in step)
                for images, rows, columns in stripe:
                    images = images if batch_in_stripe else outer[0]
                    cycles, useful, ran = cycles + 1, useful + 1, ran + 1
                    reads += len(_inputs((images, outer[1], rows, columns), step, window))
                    summed.update(product(images, outer[1], outer[2], rows, columns))
                stall = max(0, load - ran)
                cycles += stall
    cycles += pipeline - stall
    return [cycles, cycles - useful, reads, weights, 0, len(summed)]


def _blocks(size: int, extent: int) -> list[range]:
    return [range(i, min(i + extent, size)) for i in range(0, size, extent)]


def _cut(positions: list, longest: int) -> list[list]:
    """Stripes as the sequencer cuts them, looking at what is left."""
    found, start = [], 0
    while start < len(positions):
        left = len(positions) - start
        if left >= 2 * longest:
            length = longest
        else:
            length = left if left <= longest else (longest + 1) // 2
        found.append(positions[start : start + length])
        start += length
    return found


def _inputs(output: tuple, step: tuple, window: Int64s) -> set[tuple]:
    images, groups, rows, columns = output
    channels, fy, fx = step
    stride_y, stride_x, dilation_y, dilation_x = (int(w) for w in window)
    return {
        (n, g, c, y * stride_y + i * dilation_y, x * stride_x + j * dilation_x)
        for n, g, c in product(images, groups, channels)
        for y, x, i, j in product(rows, columns, fy, fx)
    }
