"""Published ImageNet accuracy of networks of the zoo."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def top1_pct() -> dict[str, float]:
    """ImageNet top-1 accuracy in percent by name of the zoo, of the original training recipe (V1).

    Source: accuracy.csv, which names the published weights. Networks without published weights are
    not in it.
    """
    text = (files("simulator.explore") / "accuracy.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["name"].lower(): float(row["top1_pct"])
        for row in rows
        if row["weights"] == "IMAGENET1K_V1"
    }
