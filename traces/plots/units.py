"""Amounts in words: the largest unit in which a number is not below one."""

from __future__ import annotations

from matplotlib.axes import Axes

from traces.plots.view import RunView

SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
CYCLES = ((1e9, "G cycles"), (1e6, "M cycles"), (1e3, "k cycles"), (1.0, "cycles"))
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
JOULES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"))
DIGITS = 3


def scale(value: float, steps: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    """What to divide by, and the unit that gives."""
    return next((step for step in steps if value >= step[0]), steps[-1])


def in_words(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    """The value to three digits with its unit."""
    divisor, unit = scale(value, steps)
    return f"{significant(value / divisor)} {unit}"


def significant(value: float) -> str:
    """To three digits."""
    if abs(value) < 1:
        return f"{value:.{DIGITS}g}"
    return f"{value:,.{max(0, DIGITS - len(f'{abs(value):.0f}'))}f}"


def time_scale(view: RunView) -> tuple[float, str]:
    """Cycles in a unit of time that suits the run, and its name; cycles where there's no clock."""
    if view.clock_ghz is None:
        return scale(view.end_cycle, CYCLES)
    per_second = view.clock_ghz * 1e9
    seconds, unit = scale(view.end_cycle / per_second, SECONDS)
    return seconds * per_second, unit


def time_in_words(view: RunView, cycles: int) -> str:
    """A length of time of the run, with its unit."""
    if view.clock_ghz is None:
        return in_words(cycles, CYCLES)
    return in_words(cycles / (view.clock_ghz * 1e9), SECONDS)


def time_axis(axes: Axes, view: RunView) -> None:
    """Let x run over the whole run, in its unit of time. x of the data: in that unit too."""
    cycles, unit = time_scale(view)
    axes.set_xlim(0, view.end_cycle / cycles)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g} {unit}" if x else "0")
    axes.locator_params(axis="x", nbins=10 if axes.bbox.width > 500 else 5)
