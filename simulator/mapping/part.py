"""A part of a layer: the range of its loops that one core computes.

Most layers are one part. A concatenation is one copy for each of its inputs; a layer that several
cores share is one part for each core.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.workload.graph import Layer


@dataclass(frozen=True, slots=True)
class Part:
    """The iterations [first, first + extent) of a layer's six tiled loops, on a core.

    index: of the layer in the workload. layer: what is computed; of a concatenation, the copy of
    one input. core: number of the core. first, extent: in the order of streams.TILED_LOOPS.
    first_channel: where the layer's channel 0 lies in the output tensor, which has `channels`.
    """

    index: int
    layer: Layer
    core: int
    first: tuple[int, ...]
    extent: tuple[int, ...]
    first_channel: int
    channels: int
