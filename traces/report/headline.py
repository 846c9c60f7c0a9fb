"""What a report says in words: the headline, the key figures, what the run was."""

from __future__ import annotations

from html import escape

from traces.plots.theme import CAUSE_STYLES
from traces.plots.units import BYTES, JOULES, in_words, significant, time_in_words
from traces.plots.view import USEFUL, RunView
from traces.schema import CAUSE

OPERATIONS_PER_MAC = 2


def title(view: RunView) -> str:
    """Network on chip; the folder's name where the trace does not say them."""
    network, chip = view.manifest.get("network"), view.manifest.get("chip")
    return f"{network} on {chip}" if network and chip else view.folder.resolve().name


def headline(view: RunView) -> str:
    """How long it took, how well the chip was used, the largest loss and its place, as HTML."""
    verb = "takes" if view.complete else "had run for"
    used = f"at <b>{percent(_utilisation(view))}</b> of {_full(view)}"
    took = f"The run {verb} <b>{time_in_words(view, view.end_cycle)}</b> {used}."
    lost = {cause: cycles for cause, cycles in view.causes.items() if cause != USEFUL}
    if not lost:
        return f"{took} No cycle was lost."
    cause = next(iter(lost))
    share = lost[cause] / sum(view.causes.values())
    of = (
        f"of the cycles of the {len(view.main_units)} units that do MACs"
        if view.interleaved
        else "of all cycles"
    )
    name, there = _worst_place(view, cause)
    return (
        f"{took} The largest loss is <b>{CAUSE_STYLES[cause].phrase}</b>: {percent(share)} {of}, "
        f"{percent(there / lost[cause])} of them in <b>{escape(name)}</b>."
    )


def _worst_place(view: RunView, cause: str) -> tuple[str, int]:
    """The layer that loses most by a cause, or where layers take turns the unit; how much."""
    if view.interleaved:
        cycles = view.timeline[:, CAUSE[cause]].sum(axis=1)
        worst_unit = max(view.main_units, key=lambda unit: cycles[unit])
        return view.units[worst_unit], int(cycles[worst_unit])
    worst = max(view.layers, key=lambda layer: layer.losses.get(cause, 0))
    return worst.name, worst.losses[cause]


def _full(view: RunView) -> str:
    return "the peak MAC rate of the chip" if view.result else "its cycles computing"


def _utilisation(view: RunView) -> float:
    if view.result:
        return float(view.result["utilisation"])
    return view.causes.get(USEFUL, 0) / (sum(view.causes.values()) or 1)


def warning(view: RunView) -> str:
    """For a run that did not reach its end: how far it came and why it stopped; else nothing."""
    if view.complete:
        return ""
    why = view.manifest.get("ended_by")
    return (
        '<p class="warning">This run did not reach its end'
        + (f" ({escape(why)})" if why else "")
        + f". The page shows its first {view.end_cycle:,} cycles, as far as they were recorded.</p>"
    )


def facts(view: RunView) -> list[tuple[str, str]]:
    """Key figures and their names; those that the trace can't tell are left out."""
    macs = sum(layer.macs for layer in view.layers)
    energy_pj = sum(view.energy_pj.values())
    read, written = (
        sum(getattr(x, key) for x in view.layers) for key in ("read_bytes", "write_bytes")
    )
    rows = [("cycles", f"{view.end_cycle:,}")]
    if macs:
        rows.append(("work", f"{significant(macs / 1e9)} GMAC"))
    if macs and view.clock_ghz:
        tops = OPERATIONS_PER_MAC * macs / view.end_cycle * view.clock_ghz / 1e3
        rows.append(("speed", f"{significant(tops)} TOPS"))
    if energy_pj:
        rows.append(("energy", in_words(energy_pj * 1e-12, JOULES)))
        rows.append(("efficiency", f"{significant(OPERATIONS_PER_MAC * macs / energy_pj)} TOPS/W"))
    rows.append(("DRAM read", in_words(read, BYTES)))
    rows.append(("DRAM written", in_words(written, BYTES)))
    return rows


FOOTER = ("tilesim", "memory", "objective", "batch", "allocation", "seed")


def footer(view: RunView) -> str:
    """What it was made with, as far as the manifest says it."""
    said = [(key, view.manifest.get(key)) for key in FOOTER]
    words = " · ".join(f"{key} {value}" for key, value in said if value not in (None, ""))
    return escape(words or view.folder.name)


def percent(share: float) -> str:
    """A share with a digit after the point."""
    return f"{100 * share:.1f} %"
