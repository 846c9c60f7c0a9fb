"""Operand streams: what a layer moves through which buffer of a core, tile by tile.

Tiling search and lowering see a layer only as its streams, so that a convolution, an addition and
a pooling go the same way. Rules: ARCHITECTURE.md MAP-1, MAP-2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw_models.floorplan import CorePlan
from hw_models.spec import Operand, PrecisionSpec
from simulator.mapping.layer_array import weight_ratio
from simulator.mapping.window import Window
from simulator.workload.graph import LOOPS, Layer
from simulator.workload.graph import Operand as LayerOperand

Int64s = NDArray[np.int64]

TILED_LOOPS = LOOPS[:6]
"""Loops that may be cut: b, g, k, c, oy, ox. Filters stay whole."""

OUTPUT_LOOPS = ("b", "g", "k", "oy", "ox")


class Role(IntEnum):
    """What happens to the tiles of a stream."""

    READ = 0
    ACCUMULATE = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class Stream:
    """One operand of a layer on a core.

    name: "input", "input1", ..., "weight", "psum", "output". loops: the tiled loops that index it.
    windows: of rows and columns, None when the operand has as many as the output. taps: elements
    per index that no tiled loop covers (the filter of a weight). bits: of one element. buffer: its
    number on the chip; align_bytes: its word. least_slots: tiles that must fit side by side.
    resident: the whole tensor lies in the buffer, so that no tile of it is moved or takes a slot.
    in_place: an output that takes over the slot of its partial sums. bias_bits: of one bias that
    comes along with a weight tile, 0 for none; it is moved, but kept in the output stage and not
    in the buffer. packed: size as stored and moved over that of all elements.
    """

    name: str
    operand: Operand
    tensor: str
    role: Role
    loops: tuple[str, ...]
    windows: tuple[Window, Window] | None
    taps: int
    bits: int
    buffer: int
    align_bytes: int
    least_slots: int
    resident: bool = False
    in_place: bool = False
    bias_bits: int = 0
    packed: Fraction = Fraction(1)

    @property
    def has_slots(self) -> bool:
        """Whether its tiles take slots of their own."""
        return not self.resident and not self.in_place

    def room_of(self, extents: Int64s, rows: Int64s, columns: Int64s) -> Int64s:
        """Bytes that tiles take in the buffer: whole words of it. Arguments as in `bytes_of`."""
        stored = self.bytes_of(extents, rows, columns, with_bias=False)
        return -(-stored // self.align_bytes) * self.align_bytes

    def bytes_of(
        self, extents: Int64s, rows: Int64s, columns: Int64s, with_bias: ArrayLike = True
    ) -> Int64s:
        """Bytes of tiles.

        extents: (n, 6) loop extents; rows, columns: (n,) input extents; with_bias: whether the
        tile brings the bias of its output channels along (only the first tile along c does).
        """
        elements = np.full(extents.shape[0], self.taps, dtype=np.int64)
        for i, loop in enumerate(TILED_LOOPS):
            if loop not in self.loops:
                continue
            if self.windows is not None and loop in ("oy", "ox"):
                elements *= rows if loop == "oy" else columns
            else:
                elements *= extents[:, i]
        stored = -(-elements * self.bits * self.packed.numerator // self.packed.denominator)
        biases = extents[:, 1] * extents[:, 2] * np.asarray(with_bias, dtype=np.int64)
        return -(-(stored + biases * self.bias_bits) // 8)


def layer_streams(
    layer: Layer, core: CorePlan, precision: PrecisionSpec, on_chip: Collection[str] = ()
) -> tuple[Stream, ...]:
    """The streams of a layer on a core. on_chip: tensors that lie in their buffer as a whole."""
    streams = [
        _read(_input_name(i), "input", operand, layer, core, precision, on_chip)
        for i, operand in enumerate(layer.inputs)
    ]
    if layer.weight is not None:
        home: Operand = "weight" if layer.is_mac else "input"
        streams.append(_read("weight", home, layer.weight, layer, core, precision, on_chip))
    if layer.is_mac:
        streams.append(_result("psum", Role.ACCUMULATE, layer, core, precision))
    streams.append(_result("output", Role.WRITE, layer, core, precision, layer.output in on_chip))
    return tuple(streams)


def stream_names(layer: Layer) -> list[str]:
    """Names of the streams of a layer, whatever the core."""
    names = [_input_name(i) for i in range(len(layer.inputs))]
    names += ["weight"] * (layer.weight is not None) + ["psum"] * layer.is_mac
    return [*names, "output"]


def _input_name(number: int) -> str:
    return f"input{number}" if number else "input"


def _read(
    name: str,
    operand: Operand,
    read: LayerOperand,
    layer: Layer,
    core: CorePlan,
    precision: PrecisionSpec,
    on_chip: Collection[str],
) -> Stream:
    buffer = core.buffer_of(operand)
    is_weight = name == "weight"
    taps = layer.dims.fy * layer.dims.fx if "fy" in read.dims else 1
    windows = None if is_weight else (Window.of(layer, "y"), Window.of(layer, "x"))
    bits = precision.weight_bits if is_weight and layer.weight_is_constant else precision.input_bits
    return Stream(
        name,
        operand,
        read.tensor,
        Role.READ,
        tuple(loop for loop in TILED_LOOPS if loop in read.dims),
        windows,
        taps,
        bits,
        buffer.index,
        buffer.spec.width_bytes,
        buffer.spec.slots,
        resident=read.tensor in on_chip,
        bias_bits=precision.psum_bits if is_weight and layer.bias else 0,
        packed=weight_ratio(core.spec, layer) if is_weight else Fraction(1),
    )


def _result(
    operand: Operand,
    role: Role,
    layer: Layer,
    core: CorePlan,
    precision: PrecisionSpec,
    resident: bool = False,
) -> Stream:
    buffer = core.buffer_of(operand)
    over_psum = layer.is_mac and role is Role.WRITE and buffer == core.buffer_of("psum")
    return Stream(
        operand,
        operand,
        layer.output,
        role,
        OUTPUT_LOOPS,
        None,
        1,
        precision.bits(operand),
        buffer.index,
        buffer.spec.width_bytes,
        buffer.spec.slots,
        resident=resident,
        in_place=over_psum and not resident,
    )


def longest_run_bytes(
    stream: Stream, layer: Layer, extents: Int64s, rows: Int64s, columns: Int64s, moved: Int64s
) -> Int64s:
    """Bytes of a tile that lie side by side in DRAM. Arguments as in `Stream.bytes_of`.

    Weights are packed tile by tile; a feature map has its channels innermost, then columns, rows.
    """
    if stream.role is Role.READ and stream.windows is None:
        return moved
    d = layer.dims
    inner, size = ("c", d.c) if stream.role is Role.READ else ("k", d.k)
    place = TILED_LOOPS.index(inner)
    channels = (extents[:, 1] if "g" in stream.loops else 1) * (
        extents[:, place] if inner in stream.loops else 1
    )
    all_channels = (d.g if "g" in stream.loops else 1) * (size if inner in stream.loops else 1)
    across, down = (rows, columns), (d.iy, d.ix)
    if stream.role is not Role.READ:
        across, down = (extents[:, 4], extents[:, 5]), (d.oy, d.ox)
    width = across[1] if "ox" in stream.loops else np.ones_like(across[1])
    height = across[0] if "oy" in stream.loops else np.ones_like(across[0])
    whole_rows = width == (down[1] if "ox" in stream.loops else 1)
    run = np.where(whole_rows, channels * width * height, channels * width)
    run = np.where(channels == all_channels, run, channels)
    return np.maximum(1, run * stream.bits // 8)
