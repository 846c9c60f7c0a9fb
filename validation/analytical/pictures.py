"""Pictures of predictions against the simulation: scatter and histogram of errors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, log10
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from validation.analytical.compare import Comparison
from validation.analytical.figures import CLOSE_PCT

PANEL_INCHES = 3.6
MOST_COLUMNS = 3
EDGES_PCT = (-100, -75, -50, -25, -10, -5, 5, 10, 25, 50, 75, 100)
"""Bins of the histogram; what lies beyond goes into the last one."""


def plot_scatter(comparisons: Sequence[Comparison], path: Path) -> None:
    """Predicted over simulated cycles of every layer, a panel for each model, as PNG."""
    figure, panels = _panels(comparisons)
    every = [n for c in comparisons for e in c.errors for n in (e.simulated, e.predicted) if n > 0]
    ends = [10.0 ** floor(log10(min(every, default=1))), 10.0 ** ceil(log10(max(every, default=9)))]
    for axes, comparison in zip(panels, comparisons, strict=True):
        points = [(e.simulated, e.predicted) for e in comparison.errors if e.predicted > 0]
        low, high = ([n * (1 + s * CLOSE_PCT / 100) for n in ends] for s in (-1, 1))
        axes.fill_between(ends, low, high, color="0.85")
        axes.plot(ends, ends, color="0.5", linewidth=0.8)
        axes.scatter([s for s, _ in points], [p for _, p in points], s=14, alpha=0.7)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title=comparison.model)
        axes.set(xlabel="simulated cycles", ylabel="predicted cycles", aspect="equal")
    figure.savefig(path, dpi=120)


def plot_histogram(comparisons: Sequence[Comparison], path: Path) -> None:
    """Layers by signed error, a panel for each model, as PNG."""
    figure, panels = _panels(comparisons)
    labels = [f"{low:+d} to {high:+d}" for low, high in pairwise(EDGES_PCT)]
    labels[0], labels[-1] = "below -75", "above +75"
    for axes, comparison in zip(panels, comparisons, strict=True):
        layers = [0] * len(labels)
        for e in comparison.errors:
            signed = 100 * e.error_cycles / (e.simulated or 1)
            layers[max(0, sum(signed >= edge for edge in EDGES_PCT[1:-1]))] += 1
        axes.barh(range(len(labels)), layers)
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.set(title=comparison.model, xlabel="layers", ylabel="error in %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.savefig(path, dpi=120)


def _panels(comparisons: Sequence[Comparison]) -> tuple[Figure, list[Axes]]:
    columns = min(MOST_COLUMNS, len(comparisons))
    lines = -(-len(comparisons) // columns)
    size = (PANEL_INCHES * columns, PANEL_INCHES * lines)
    figure = Figure(figsize=size, layout="constrained")
    panels = [figure.add_subplot(lines, columns, i + 1) for i in range(len(comparisons))]
    return figure, panels
