"""What a report says in words: the headline, the key figures, what the run was."""

from __future__ import annotations

from html import escape

from traces.plots.theme import CAUSE_STYLES
from traces.plots.units import BYTES, JOULES, in_words, significant, time_in_words
from traces.plots.view import USEFUL, RunView

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
    worst = max(view.layers, key=lambda layer: layer.losses.get(cause, 0))
    share, there = lost[cause] / view.end_cycle, worst.losses[cause] / lost[cause]
    return (
        f"{took} The largest loss is <b>{CAUSE_STYLES[cause].phrase}</b>: {percent(share)} of all "
        f"cycles, {percent(there)} of them in <b>{escape(worst.name)}</b>."
    )


def _full(view: RunView) -> str:
    return "the peak MAC rate of the chip" if view.result else "its cycles computing"


def _utilisation(view: RunView) -> float:
    if view.result:
        return float(view.result["utilisation"])
    return view.causes.get(USEFUL, 0) / view.end_cycle


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
