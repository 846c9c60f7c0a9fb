"""Two runs side by side: which layers and causes make the difference. Rule: COMPARE-1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces.schema import CAUSES
from traces.stalls import StallReport, stall_report

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer in both runs. change: cycles by cause, second less first; None: not in that run."""

    layer: str
    before: int | None
    after: int | None
    change: Int64s

    @property
    def cycles(self) -> int:
        """Cycles more in the second run."""
        return int(self.change.sum())


@dataclass(frozen=True, slots=True)
class Comparison:
    """What makes the difference between two runs.

    change: cycles by cause, second less first, which add up to it: those of all layers, or where
    layers take turns, the mean of the units that do the work (to a cycle).
    """

    before: int
    after: int
    complete: bool
    layers: tuple[LayerChange, ...]
    change: Int64s

    @property
    def causes(self) -> dict[str, int]:
        """Cycles more by cause, largest change first."""
        return by_size(self.change)

    def headline(self) -> str:
        """The difference in a line."""
        more = self.after - self.before
        if not more:
            return f"Both runs take {self.before:,} cycles."
        factor = f" ({100 * more / self.before:+.1f} %)" if self.before else ""
        sign = 1 if more > 0 else -1
        layer = max(self.layers, key=lambda found: found.cycles * sign)
        cause, cycles = max(self.causes.items(), key=lambda item: item[1] * sign)
        return (
            f"{self.before:,} -> {self.after:,} cycles, {more:+,}{factor}: "
            f"most by {cause} ({cycles:+,}), and most in {layer.layer} ({layer.cycles:+,})."
        )

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "complete": self.complete,
            "causes": self.causes,
            "layers": [
                {
                    "layer": layer.layer,
                    "before": layer.before,
                    "after": layer.after,
                    "causes": by_size(layer.change),
                }
                for layer in self.layers
            ],
        }


def compare(first: Path, second: Path) -> Comparison:
    """Compare two runs, layers by name. Raises InputError."""
    return compared(stall_report(first), stall_report(second))


def compared(first: StallReport, second: StallReport) -> Comparison:
    """Compare two analysed runs."""
    names = list(dict.fromkeys([*first.layers, *second.layers]))
    layers = []
    for name in names:
        before, after = _row(first, name), _row(second, name)
        zero = np.zeros(len(CAUSES), dtype=np.int64)
        change = (zero if after is None else after) - (zero if before is None else before)
        layers.append(LayerChange(name, _total(before), _total(after), change))
    return Comparison(
        first.end - first.begin,
        second.end - second.begin,
        first.complete and second.complete,
        tuple(layers),
        _of_run(second) - _of_run(first),
    )


def by_size(cycles: Sequence[int] | Int64s) -> dict[str, int]:
    """Causes with a change, largest first."""
    changed = {cause: int(n) for cause, n in zip(CAUSES, cycles, strict=True) if n}
    return dict(sorted(changed.items(), key=lambda item: -abs(item[1])))


def _of_run(report: StallReport) -> Int64s:
    return np.rint(report.main / max(1, len(report.main_units))).astype(np.int64)


def _row(report: StallReport, layer: str) -> Int64s | None:
    if layer not in report.layers:
        return None
    row: Int64s = report.by_layer[report.layers.index(layer)]
    return row


def _total(row: Int64s | None) -> int | None:
    return None if row is None else int(row.sum())
