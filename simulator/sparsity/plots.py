"""Pictures of the study: efficiency over density for each combination, with the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.sparsity.layer_masks import Combination
from simulator.sparsity.study import MeanRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"dense": "black", "griffin": "tab:blue", "prior": "tab:orange", "sweep": "0.75"}
TITLES = {
    Combination.DENSE: "both operands dense",
    Combination.WEIGHTS: "weights sparse",
    Combination.ACTIVATIONS: "activations sparse",
    Combination.BOTH: "both operands sparse",
}
LABELLED = ("dense", "griffin", "prior")


def pareto_front(rows: Sequence[MeanRow]) -> list[MeanRow]:
    """Rows that no other beats in TOPS/mm2 and TOPS/W at once, by falling TOPS/mm2."""
    front: list[MeanRow] = []
    for row in sorted(rows, key=lambda r: (-r.tops_per_mm2, -r.tops_per_w)):
        if not front or row.tops_per_w > front[-1].tops_per_w:
            front.append(row)
    return front


def plot_pareto(rows: Sequence[MeanRow], path: Path) -> None:
    """Write one panel for every combination that was run, as PNG.

    Numbers stand for named designs, and for the ends and the middle of each front.
    """
    from matplotlib.figure import Figure

    shown = [c for c in Combination if any(row.combination == c for row in rows)]
    fronts = {c: pareto_front([row for row in rows if row.combination == c]) for c in shown}
    best = [fronts[c][at].design for c in shown for at in (0, len(fronts[c]) // 2, -1)]
    named = [row.design for row in rows if row.family in LABELLED]
    numbers = {name: i for i, name in enumerate(dict.fromkeys([*named, *best]), 1)}
    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(6.5 * columns + 2.2, 5.0 * lines), layout="constrained")
    for index, combination in enumerate(shown, 1):
        axes = figure.add_subplot(lines, columns, index)
        some = [row for row in rows if row.combination == combination]
        _panel(axes, some, fronts[combination], numbers)
        axes.set_title(TITLES[combination])
    handles, labels = figure.axes[0].get_legend_handles_labels()
    key = "\n".join(f"{number} {name}" for name, number in numbers.items())
    figure.legend(handles, labels, loc="outside right upper", title=key, alignment="left")
    figure.savefig(path, dpi=130)


def _panel(
    axes: Axes, rows: Sequence[MeanRow], front: Sequence[MeanRow], numbers: Mapping[str, int]
) -> None:
    places = [row.tops_per_mm2 for row in front], [row.tops_per_w for row in front]
    axes.plot(
        *places,
        color="tab:red",
        linewidth=1,
        marker="o",
        markersize=9,
        markerfacecolor="none",
        label="Pareto front",
    )
    for family, colour in COLOURS.items():
        some = [row for row in rows if row.family == family]
        if some:
            places = [row.tops_per_mm2 for row in some], [row.tops_per_w for row in some]
            size, order = (10, 1) if family == "sweep" else (30, 3)
            axes.scatter(*places, s=size, color=colour, label=family, zorder=order)
    axes.set_xlabel("TOPS/mm$^2$")
    axes.set_ylabel("TOPS/W")
    axes.margins(0.1)
    axes.grid(alpha=0.3)
    told = [r for r in rows if r.design in numbers and (r.family in LABELLED or r in front)]
    labelled = sorted(told, key=lambda r: r.tops_per_mm2)
    for rank, row in enumerate(labelled):
        # Neighbours often lie on top of each other; three heights keep their numbers apart.
        axes.annotate(
            str(numbers[row.design]),
            (row.tops_per_mm2, row.tops_per_w),
            xytext=(0, 5 + 9 * (rank % 3)),
            textcoords="offset points",
            fontsize=8,
            ha="center",
        )


def plot_gains(rows: Sequence[MeanRow], path: Path) -> None:
    """Write bars of speed-up, TOPS/W and TOPS/mm2 against the dense core, as PNG."""
    from matplotlib.figure import Figure

    designs = list(dict.fromkeys(row.design for row in rows if row.family != "sweep"))
    figures = {
        "speedup": "speed-up",
        "efficiency_gain": "TOPS/W over dense",
        "density_gain": "TOPS/mm$^2$ over dense",
    }
    figure = Figure(figsize=(11, 9), layout="constrained")
    shown = [c for c in Combination if any(row.combination == c for row in rows)]
    width = 0.8 / len(shown)
    for index, (column, title) in enumerate(figures.items(), 1):
        axes = figure.add_subplot(len(figures), 1, index)
        for number, combination in enumerate(shown):
            by_design = {row.design: row for row in rows if row.combination == combination}
            places = [at + (number - (len(shown) - 1) / 2) * width for at in range(len(designs))]
            heights = [getattr(by_design[design], column) for design in designs]
            axes.bar(places, heights, width, label=TITLES[combination])
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_ylabel(title)
        axes.set_xticks(range(len(designs)), designs, rotation=20, ha="right", fontsize=8)
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].legend(fontsize=8, ncols=2)
    figure.savefig(path, dpi=130)
