"""Where tensors lie in DRAM and which bytes a tile of one is: runs along up to three strides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.spec import ChipSpec
from hw_models.yaml_file import InputError
from simulator.workload.graph import Workload

Int64s = NDArray[np.int64]

PAGE_BYTES = 4096
"""Every tensor starts on a page of its own. Rule: ARCHITECTURE.md PROG-5."""

RUN_COLUMNS = (
    "address",
    "run_bytes",
    "count_1",
    "stride_1",
    "count_2",
    "stride_2",
    "count_3",
    "stride_3",
)


def dram_addresses(workload: Workload, chip: ChipSpec) -> dict[str, int]:
    """First byte of every tensor, in workload order. Raises InputError when DRAM is full."""
    addresses, at = {}, 0
    biases = {
        layer.weight.tensor: layer.dims.g * layer.dims.k
        for layer in workload.layers
        if layer.weight is not None and layer.bias
    }
    for tensor in workload.tensors.values():
        addresses[tensor.name] = at
        # Feature maps get room for their partial sums, which spill to the same place.
        bits = max(8, chip.precision.weight_bits if tensor.parameter else chip.precision.psum_bits)
        room = tensor.elements * bits + biases.get(tensor.name, 0) * chip.precision.psum_bits
        at += -(-room // (8 * PAGE_BYTES)) * PAGE_BYTES
    capacity = chip.dram.capacity_bytes
    if at > capacity:
        raise InputError(
            f"{workload.name} needs {at} bytes of DRAM, {at - capacity} more than {chip.name} has"
        )
    return addresses


@dataclass(frozen=True, slots=True)
class FeatureBox:
    """Boxes of a feature map of shape (batch, rows, columns, channels), channels innermost.

    shape: four extents of the tensor. first, extent: four arrays (n,) each.
    """

    shape: tuple[int, int, int, int]
    first: tuple[Int64s, Int64s, Int64s, Int64s]
    extent: tuple[Int64s, Int64s, Int64s, Int64s]

    def runs(self, address: int, bits: int) -> Mapping[str, Int64s]:
        """The bytes of every box as RUN_COLUMNS; neighbouring runs are joined."""
        _, rows, columns, channels = self.shape
        nb, ny, nx, nc = self.extent
        row, image = columns * channels, rows * columns * channels
        b0, y0, x0, c0 = self.first
        start = b0 * image + y0 * row + x0 * channels + c0
        all_channels = nc == channels
        all_columns = all_channels & (nx == columns)
        all_rows = all_columns & (ny == rows)
        one = np.ones_like(start)
        cases = [all_rows, all_columns, all_channels]
        run = np.select(cases, [nb * ny * nx * nc, ny * nx * nc, nx * nc], nc)
        count_1 = np.select(cases, [one, nb, ny], nx)
        stride_1 = np.select(cases, [0 * one, image * one, row * one], channels * one)
        count_2 = np.select(cases, [one, one, nb], ny)
        stride_2 = np.select(cases, [0 * one, 0 * one, image * one], row * one)
        count_3 = np.select(cases, [one, one, one], nb)
        stride_3 = np.select(cases, [0 * one, 0 * one, 0 * one], image * one)
        elements = (start, run, count_1, stride_1, count_2, stride_2, count_3, stride_3)
        table = dict(zip(RUN_COLUMNS, elements, strict=True))
        for name in ("address", "stride_1", "stride_2", "stride_3"):
            table[name] = table[name] * bits // 8
        table["run_bytes"] = -(-table["run_bytes"] * bits // 8)
        table["address"] = table["address"] + address
        return table


def packed_runs(keys: Int64s, tile_bytes: Int64s, address: int) -> Mapping[str, Int64s]:
    """Tiles packed one behind the other in order of first use, as a compiler lays out weights."""
    unique, first = np.unique(keys, return_index=True)
    order = np.argsort(first)
    sizes = tile_bytes[first[order]]
    offset = np.zeros(unique.size, dtype=np.int64)
    offset[order] = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    one, none = np.ones_like(keys), np.zeros_like(keys)
    columns = (
        address + offset[np.searchsorted(unique, keys)],
        tile_bytes,
        one,
        none,
        one,
        none,
        one,
        none,
    )
    return dict(zip(RUN_COLUMNS, columns, strict=True))
