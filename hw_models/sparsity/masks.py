"""Generated masks: how many elements are nonzero, and how the zeros cluster. Seeded.

Rule: ARCHITECTURE.md BORROW-9. A mask is bool (vectors, depth), True for a nonzero: vectors are
the outputs of a weight or the positions of a feature map, depth is what products sum over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from traces.errors import InputError

Mask = NDArray[np.bool_]
Axis = Literal[0, 1]
Number = TypeVar("Number", int, float)
Draw = Callable[[tuple[int, int], float, Axis, np.random.Generator], Mask]


@dataclass(frozen=True, slots=True)
class MaskModel:
    """How zeros are spread. name: as written. draw: (shape, density, channel axis, generator)."""

    name: str
    draw: Draw

    def mask(self, shape: tuple[int, int], density: float, axis: Axis, seed: tuple) -> Mask:
        """A mask of some density. axis: along which channels run. seed: ints that name the draw.

        Raises InputError for a density outside [0, 1].
        """
        check_density(density)
        if density in (0.0, 1.0):
            return np.full(shape, density == 1.0)
        return self.draw(shape, density, axis, np.random.default_rng(seed))


def check_density(density: float) -> None:
    """Refuse a density that is none. Raises InputError."""
    if not 0 <= density <= 1:
        raise InputError(f"density must be from 0 to 1, not {density}")


def parse_mask_model(text: str) -> MaskModel:
    """The model in a text. Raises InputError.

    "iid": every element for itself. "channel:4": a density per channel from a beta distribution
    whose two parameters add up to 4, iid inside. "2:4": that many nonzeros in every group of that
    many along the depth, whatever the density. "block:4x4": blocks of vectors x depth, all or none.
    """
    if text == "iid":
        return MaskModel(text, _iid)
    if found := re.fullmatch(r"channel:(\d+(?:\.\d+)?)", text):
        return MaskModel(text, _clustered(_positive(text, float(found[1]))))
    if found := re.fullmatch(r"(\d+):(\d+)", text):
        return MaskModel(text, _n_of_m(text, int(found[1]), int(found[2])))
    if found := re.fullmatch(r"block:(\d+)x(\d+)", text):
        sides = (_positive(text, int(found[1])), _positive(text, int(found[2])))
        return MaskModel(text, _blocks(*sides))
    raise InputError(f"mask model must be iid, channel:C, N:M or block:VxD, not {text!r}")


def magnitude_mask(weights: NDArray[np.floating], density: float) -> Mask:
    """The share `density` of elements with the greatest magnitude; the first of equals stay.

    Elements that are zero never stay. Raises InputError for a density outside [0, 1].
    """
    check_density(density)
    flat = np.abs(weights).ravel()
    kept = np.zeros(flat.size, np.bool_)
    kept[np.argsort(-flat, kind="stable")[: round(density * flat.size)]] = True
    return (kept & (flat != 0)).reshape(weights.shape)


def _positive(text: str, number: Number) -> Number:
    if number <= 0:
        raise InputError(f"{text}: must have numbers greater than 0, not {number}")
    return number


def _iid(
    shape: tuple[int, int], density: float, _axis: Axis, generator: np.random.Generator
) -> Mask:
    return generator.random(shape, np.float32) < density


def _clustered(concentration: float) -> Draw:
    def draw(
        shape: tuple[int, int], density: float, axis: Axis, generator: np.random.Generator
    ) -> Mask:
        ends = density * concentration, (1 - density) * concentration
        channels = generator.beta(*ends, shape[axis])
        by_channel = channels[:, None] if axis == 0 else channels[None, :]
        return generator.random(shape, np.float32) < by_channel

    return draw


def _n_of_m(text: str, kept: int, group: int) -> Draw:
    if group < 1 or kept > group:
        raise InputError(f"{text}: N must be at most M ({group}), not {kept}")

    def draw(
        shape: tuple[int, int], _density: float, _axis: Axis, generator: np.random.Generator
    ) -> Mask:
        groups = -(-shape[1] // group)
        ranks = generator.random((shape[0], groups, group), np.float32).argsort(axis=2)
        return (ranks < kept).reshape(shape[0], groups * group)[:, : shape[1]]

    return draw


def _blocks(vectors: int, depth: int) -> Draw:
    def draw(
        shape: tuple[int, int], density: float, _axis: Axis, generator: np.random.Generator
    ) -> Mask:
        count = (-(-shape[0] // vectors), -(-shape[1] // depth))
        blocks = generator.random(count, np.float32) < density
        return blocks.repeat(vectors, 0).repeat(depth, 1)[: shape[0], : shape[1]]

    return draw
