"""Benchmark `fuzz`: random chips and networks through everything; none may crash the simulator.

Needs hypothesis, as the tests do. Batches that are done are kept in .bench/fuzz.json, so that an
interrupted run goes on where it was; a change of the sources begins anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from validation.fuzz.batch import Batch, run_batch

BATCHES, BATCH_EXAMPLES = 100, 100
FUSED_STEP = 5
"""Every fifth batch is compiled for several cores at once."""

DONE = Path(".bench/fuzz.json")
PACKAGES = ("traces", "hw_models", "simulator", "validation/fuzz")


def main() -> str:
    """Run all batches that are not done yet, and return the closing line."""
    done = run_batches(BATCHES, BATCH_EXAMPLES, DONE)
    totals = {key: sum(getattr(batch, key) for batch in done) for key in ("examples", "refused")}
    words = [f"{key}={total}" for key, total in totals.items()]
    return " ".join([*words, f"crashes={sum(bool(batch.crash) for batch in done)}"])


def run_batches(batches: int, examples: int, kept: Path) -> list[Batch]:
    """Run batches with seeds from 0 on, but take those from `kept` that it has of these sources."""
    key = f"{examples} {sources_sha256()}"
    done = _read(kept).get(key, [])[:batches]
    for number in range(len(done), batches):
        began = perf_counter()
        done.append(
            asdict(run_batch(number, examples, fused=number % FUSED_STEP == FUSED_STEP - 1))
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({key: done}), encoding="utf-8")
        _show(number, Batch(**done[-1]), perf_counter() - began)
    return [Batch(**batch) for batch in done]


def sources_sha256() -> str:
    """Hash of all that the examples run through: code and data."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".yaml", ".csv"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(kept: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        found: dict[str, list[dict[str, Any]]] = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing done yet, or cut short while it was written
    return found


def _show(number: int, batch: Batch, seconds: float) -> None:
    state = "crashed" if batch.crash else "passed"
    sys.stdout.write(
        f"batch {number:3} {state}: {batch.examples} examples, {batch.refused} refused, "
        f"{seconds:.1f} s\n{batch.crash}"
    )
    sys.stdout.flush()
