"""Evaluating the points of an exploration that aren't known yet, here or in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import groupby
from multiprocessing import get_context

from validation.exploration.evaluate import Row, Search, evaluate
from validation.exploration.space import Point
from validation.exploration.store import Store

Progress = Callable[[int, int], None]
"""Called with points done and points in all."""

Pair = tuple[str, str, tuple[str, ...]]
"""A network, a chip, and the ways that are missing."""


def explore(
    points: Sequence[Point], search: Search, store: Store, workers: int, progress: Progress
) -> list[Row]:
    """Rows of all points, in their order."""
    missing = [point for point in points if store.find(point, search) is None]
    done = len(points) - len(missing)
    progress(done, len(points))
    for rows in _evaluated(_pairs(missing), search, workers):
        store.add(rows)
        done += len(rows)
        progress(done, len(points))
    return [store.rows[point, search] for point in points]


def _pairs(points: Sequence[Point]) -> list[Pair]:
    """Points by network and chip: their ways share what their tiles cost."""
    together = groupby(points, key=lambda point: (point.network, point.chip))
    return [(*pair, tuple(point.way for point in some)) for pair, some in together]


def _evaluated(pairs: Sequence[Pair], search: Search, workers: int) -> Iterator[list[Row]]:
    if workers == 1 or len(pairs) == 1:
        for pair in pairs:
            yield from ([row] for row in evaluate(*pair, search))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_rows, pair, search) for pair in pairs]
        for future in as_completed(futures):
            yield future.result()


def _rows(pair: Pair, search: Search) -> list[Row]:
    return list(evaluate(*pair, search))
