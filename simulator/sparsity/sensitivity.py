"""Which assumption moves the study's figures: the same study, one assumption changed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.sparsity.claims import Claim
from simulator.sparsity.evaluate import Setting
from simulator.sparsity.study import Variation

DESIGNS = (
    "dense sparse_a_star sparse_b_star sparse_ab_star griffin tcl_b tcl_t tcl_l tensordash cnvlutin"
)
"""Designs that the claims are about. Cambricon-X is left out: it is never the best prior design."""


def variations(base: Setting) -> tuple[Variation, ...]:
    """The base and each single change: costs and bandwidth, edges, mask models."""
    return (
        Variation("base", setting=base),
        Variation("unit costs: scaled_45nm", setting=replace(base, units="scaled_45nm")),
        Variation("mux energy: selected path", setting=replace(base, mux="path")),
        Variation("zero operands gated", setting=replace(base, gate_zeros=True)),
        Variation("static power: 0.2 of dense", setting=replace(base, static_share=0.2)),
        Variation("only the hybrid falls back", setting=replace(base, fallback=False)),
        Variation("SRAM: 1 step a cycle", setting=replace(base, refill_steps=1)),
        Variation("SRAM: 2 steps a cycle", setting=replace(base, refill_steps=2)),
        Variation("SRAM: 4 steps a cycle", setting=replace(base, refill_steps=4)),
        Variation("edges: clamp", edge="clamp", setting=base),
        Variation("masks: channel:4", mask_model="channel:4", setting=base),
        Variation("masks: block:4x4", mask_model="block:4x4", setting=base),
    )


def sensitivity_table(found: Sequence[Claim]) -> tuple[list[str], list[list[str]]]:
    """Header and lines: a variation a line, a claim a column, the published figures first.

    Columns are Griffin over the best and over the dual prior design and the loss of the dual one,
    with nothing (-), weights (W), activations (A) or both sparse.
    """
    shorts = list(dict.fromkeys(claim.short for claim in found))
    published = {c.short: c.published.removesuffix(" x").replace("0.", ".") for c in found}
    lines = [["published", *(published[short] for short in shorts)]]
    for name in dict.fromkeys(claim.variation for claim in found):
        ours = {claim.short: claim.ours for claim in found if claim.variation == name}
        lines.append([name, *(_number(ours[short]) for short in shorts)])
    return ["assumption", *shorts], lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
