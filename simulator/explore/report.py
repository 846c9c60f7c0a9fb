"""What a study found: the table of its Pareto front, and the picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from simulator.explore.evaluate import DONE, FAILED, INFEASIBLE, Row
from simulator.explore.explore import Explored
from simulator.explore.study import NETWORK, Study
from simulator.run import write_text
from traces.plots.theme import INK, LEVEL, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = {
    "latency_ms": "latency in ms",
    "energy_mj": "energy in mJ",
    "edp": "energy-delay product in mJ ms",
    "dram_mb": "DRAM traffic in MB",
    "area_mm2": "area in mm²",
    "peak_macs": "MACs a cycle",
    "accuracy": "ImageNet top-1 in %",
}
MOST_PANELS = 12
FRONT_COLOUR, ANALYTICAL_COLOUR = "#d75e17", "#a9bccb"
MOST_LINES = 40


def tell_insights(lines: Sequence[str], console: Console, out: Path | None) -> None:
    """Print the sentences of a study, and write them to its folder."""
    for line in lines:
        console.print(f"- {line}", highlight=False, markup=False)
    if out is not None:
        write_text(out / "insights.md", "".join(f"- {line}\n" for line in lines))


def print_explored(explored: Explored, console: Console) -> None:
    """Print the Pareto front, how many points there were, and the first error if there is one."""
    study = explored.study
    varied = [key for key, labels in study.space.items() if len(labels) > 1]
    shown = [*study.objectives, *(n for n in AXES if n not in study.objectives)]
    table = Table(title=f"Pareto front of {study.name}: {', '.join(study.objectives)}")
    for key in varied:
        table.add_column(short_key(key, varied))
    for name in shown:
        table.add_column(name, justify="right")
    for row in explored.front[:MOST_LINES]:
        labels = [str(row[key]) for key in varied]
        table.add_row(*labels, *(_number(row[name]) for name in shown))
    console.print(table)
    left = len(explored.front) - MOST_LINES
    if left > 0:
        console.print(f"and {left} more; all points are in points.parquet", highlight=False)
    console.print(summary(explored.rows), highlight=False)
    failed = next((row for row in explored.rows if row["status"] == FAILED), None)
    if failed is not None:
        console.print(f"first failure: {failed['error']}", highlight=False, markup=False)


def summary(rows: Sequence[Row]) -> str:
    """One line: how many points of each stage, and how many were left out and failed."""
    parts = []
    for stage in ("analytical", "simulated"):
        number = sum(row["stage"] == stage for row in rows)
        if number:
            parts.append(f"{number} {stage}")
    by_status = {s: sum(row["status"] == s for row in rows) for s in (INFEASIBLE, FAILED)}
    parts += [f"{number} {status}" for status, number in by_status.items() if number]
    return f"points: {', '.join(parts)}"


def short_key(key: str, keys: Sequence[str]) -> str:
    """The end of a dotted key that tells it from the others."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        end = ".".join(parts[-length:])
        if sum(other.endswith(f".{end}") or other == end for other in keys) == 1:
            return end
    return key


def plot_explored(explored: Explored, path: Path) -> None:
    """Write a panel for every network: all points and the front in the first two objectives."""
    from matplotlib.figure import Figure

    study = explored.study
    x, y = (*study.objectives, "energy_mj")[:2]
    networks = list(study.networks)[:MOST_PANELS]
    columns = min(3, len(networks))
    lines = -(-len(networks) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * lines), layout="constrained")
    for number, network in enumerate(networks, 1):
        axes = figure.add_subplot(lines, columns, number)
        rows = [row for row in explored.rows if row[NETWORK] == network and _has(row, (x, y))]
        front = [row for row in explored.front if row[NETWORK] == network and _has(row, (x, y))]
        _panel(axes, rows, front, (x, y))
        axes.set_title(network, fontsize=10, color=INK)
    hidden = len(study.networks) - len(networks)
    more = f" ({hidden} more networks in points.parquet)" if hidden else ""
    figure.suptitle(f"{_title(study)}{more}", fontsize=11, color=INK)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)


def _title(study: Study) -> str:
    what = study.description or "points of the study and its Pareto front"
    return f"{study.name}: {what}"


def _has(row: Row, names: Sequence[str]) -> bool:
    return row["status"] == DONE and all(row[name] is not None for name in names)


def _panel(axes: Axes, rows: Sequence[Row], front: Sequence[Row], names: tuple[str, str]) -> None:
    x, y = names
    for stage, colour, size in (("analytical", ANALYTICAL_COLOUR, 9), ("simulated", LEVEL, 18)):
        some = [row for row in rows if row["stage"] == stage]
        if some:
            places = [row[x] for row in some], [row[y] for row in some]
            axes.scatter(*places, s=size, color=colour, label=stage, linewidths=0)
    ordered = sorted(front, key=lambda row: row[x])
    places = [row[x] for row in ordered], [row[y] for row in ordered]
    axes.plot(
        *places, color=FRONT_COLOUR, linewidth=1, marker="o", markersize=5, label="Pareto front",
        markerfacecolor="none",
    )  # fmt: skip
    set_scale(axes, "x", [row[x] for row in rows])
    set_scale(axes, "y", [row[y] for row in rows])
    axes.set_xlabel(AXES[x], fontsize=9, color=MUTED)
    axes.set_ylabel(AXES[y], fontsize=9, color=MUTED)
    axes.tick_params(labelsize=8, colors=MUTED)
    axes.grid(color=RULE, linewidth=0.5, alpha=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def set_scale(axes: Axes, way: Literal["x", "y"], values: Sequence[float]) -> None:
    """Make an axis logarithmic, with plain numbers, when its values span more than a factor 4."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if not values or min(values) <= 0 or max(values) <= 4 * min(values):
        return
    axis = axes.xaxis if way == "x" else axes.yaxis
    (axes.set_xscale if way == "x" else axes.set_yscale)("log")
    span = max(values) / min(values)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 100 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
