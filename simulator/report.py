"""The result of a run as tables on a terminal."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from simulator.result import LayerResult, RunResult

LEAST_SHARE = 0.0005
"""Share of a layer's cycles below which a cause is not shown."""

WIDE, MEDIUM = 130, 110
"""Terminal widths from which all columns, and all but the layer's type, are shown."""


def print_result(result: RunResult, console: Console) -> None:
    """Print the table of layers, where all cycles went, and the totals."""
    console.print(layer_table(result, console.width))
    console.print(cause_table(result))
    for line in total_lines(result):
        console.print(line, highlight=False, soft_wrap=True)


def layer_table(result: RunResult, width: int = WIDE) -> Table:
    """One row a layer: cycles, utilisation, what the other cycles went into, traffic, energy.

    width: of the terminal; a narrow one gets fewer columns and causes. Numbers are never cut.
    """
    rows = [_row(layer) for layer in result.layers]
    headings = [heading for heading in _columns(width) if heading != LOST]
    widest = {h: max(len(h), *(len(row[h]) for row in rows), 0) for h in headings}
    # A column takes its text and three more characters; one more closes the table.
    room = max(len(LOST), width - sum(n + 3 for n in widest.values()) - 4)
    table = Table(title=f"{result.network} on {result.chip}", title_justify="left")
    for heading in _columns(width):
        is_text = heading in ("layer", "type", LOST)
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for row, layer in zip(rows, result.layers, strict=True):
        row[LOST] = lost_cycles(layer, room)
        table.add_row(*(row[heading] for heading in _columns(width)))
    return table


LOST = "lost to"


def _columns(width: int) -> list[str]:
    columns = ["layer", "type", "cycles", "ideal", "util %", LOST, "DRAM kB", "energy uJ"]
    if width >= WIDE:
        return columns
    left_out = {"type"} if width >= MEDIUM else {"type", "ideal", "DRAM kB", "energy uJ"}
    return [heading for heading in columns if heading not in left_out]


def _row(layer: LayerResult) -> dict[str, str]:
    return {
        "layer": layer.name,
        "type": layer.op,
        "cycles": f"{layer.cycles:,}",
        "ideal": f"{layer.ideal_cycles:,}",
        "util %": f"{100 * layer.utilisation:.1f}",
        "DRAM kB": f"{(layer.dram_read_bytes + layer.dram_write_bytes) / 1e3:,.1f}",
        "energy uJ": f"{layer.energy_pj / 1e6:,.1f}",
    }


def lost_cycles(layer: LayerResult, room: int = WIDE) -> str:
    """The causes of a layer's cycles other than computing, largest first, in percent.

    room: characters that there are; causes that have none are summed up, and in the narrowest room
    only the largest is named.
    """
    lost = {c: n for c, n in layer.causes.items() if c != "busy/compute"}
    least = LEAST_SHARE * layer.cycles
    largest = [cause for cause in sorted(lost, key=lambda c: -lost[c]) if lost[cause] >= least]
    shown = [f"{_short(c)} {_percent(lost[c], layer.cycles)}" for c in largest]
    for named in range(len(shown), 0, -1):
        rest = sum(lost[cause] for cause in largest[named:])
        others = [f"others {_percent(rest, layer.cycles)}"] if rest else []
        text = ", ".join([*shown[:named], *others])
        if len(text) <= room:
            return text
    return shown[0] if shown else ""


def cause_table(result: RunResult) -> Table:
    """All cycles of the run by cause, seen from the unit that each layer runs on; if layers take
    turns, all cycles of the units that do the work."""
    units = result.main_units
    seen = [result.units[unit] for unit in units] or [layer.causes for layer in result.layers]
    total: Counter[str] = Counter()
    for causes in seen:
        total.update(causes)
    whole = result.cycles * max(1, len(units))
    title = "where the cycles went" + (f": {len(units)} units" if units else "")
    table = Table(title=title, title_justify="left")
    table.add_column("cause")
    for heading in ("cycles", "share"):
        table.add_column(heading, justify="right")
    for cause in sorted(total, key=lambda c: -total[c]):
        table.add_row(cause, f"{total[cause]:,}", _percent(total[cause], whole))
    table.add_section()
    table.add_row("all", f"{total.total():,}", _percent(total.total(), whole))
    return table


def total_lines(result: RunResult) -> list[str]:
    """Totals in words."""
    components: dict[str, float] = {}
    for name, pj in result.energy_by_component_pj.items():
        kind = name.rpartition(".")[2]  # the cores together
        components[kind] = components.get(kind, 0.0) + pj
    energy = ", ".join(f"{name} {pj / 1e6:,.0f}" for name, pj in components.items() if pj)
    chosen = Counter(layer.configuration for layer in result.layers if layer.configuration)
    configurations = ", ".join(f"{name} for {n} layers" for name, n in chosen.items())
    return [
        *([f"configurations: {configurations}"] if chosen else []),
        f"{result.cycles:,} cycles = {result.milliseconds:,.3f} ms, "
        f"{result.macs / 1e9:,.3f} GMAC, utilisation {100 * result.utilisation:.1f} %, "
        f"{result.tops:.3f} TOPS, {result.tops_per_w:.3f} TOPS/W",
        f"DRAM {result.dram_read_bytes / 1e6:,.2f} MB read, "
        f"{result.dram_write_bytes / 1e6:,.2f} MB written; "
        f"{result.tasks:,} tasks, {result.events:,} events",
        f"energy {result.energy_pj / 1e6:,.0f} uJ: {energy}",
    ]


def _short(cause: str) -> str:
    return cause.partition("/")[2]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
