"""Running a study: search, screening, simulation of what survives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from simulator.explore.evaluate import DONE, Row, Stage
from simulator.explore.metrics import METRICS
from simulator.explore.pareto import pareto_front
from simulator.explore.search import SEARCHES, by_core
from simulator.explore.store import Store
from simulator.explore.study import NETWORK, Point, Study, TopSpec
from simulator.explore.workers import TINY, DaskWorkers, InProcess, Task

BATCH = {"analytical": 50, "simulated": 1}
"""Most points that a worker is given at a time; fewer where all would make less than SHARES."""

SHARES = 64

Told = Callable[[str, int, int], None]
"""Called with the stage, points of it that are done, and points in all."""


@dataclass(frozen=True, slots=True)
class Explored:
    """A finished study. rows: all; front: the Pareto front of those judged last, by network.

    screened: rows of the analytical stage, which every point has.
    """

    study: Study
    rows: list[Row]
    screened: list[Row]
    front: list[Row]


def explore(
    study: Study,
    *,
    out: Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    told: Told = lambda stage, done, total: None,
) -> Explored:
    """Run a study. out: its folder, where every finished batch of points is kept.

    resume: go on with what is in that folder. workers: processes of this machine, 0 for none but
    this one, all cores if not given. scheduler: address of a Dask scheduler to use instead.
    Raises InputError.
    """
    store = Store(out, study, resume=resume)
    with ExitStack() as stack:
        runner = _Runner(study, store, workers, scheduler, told, stack)
        search = SEARCHES[study.search.kind](study)
        points = next(search)
        try:
            while True:
                points = search.send(runner.rows(points, "analytical"))
        except StopIteration:
            pass
        survivors = _survivors(study, store.sorted_rows(["analytical"]))
        runner.rows(by_core(study, survivors), "simulated")
    store.finish()
    screened = store.sorted_rows(["analytical"])
    judged = store.sorted_rows(["simulated"]) or screened
    return Explored(study, store.sorted_rows(), screened, fronts(study, judged))


class _Runner:
    """Evaluates points that are not known yet, keeps them at once, and says how far it is."""

    def __init__(
        self,
        study: Study,
        store: Store,
        workers: int | None,
        scheduler: str | None,
        told: Told,
        stack: ExitStack,
    ) -> None:
        self.study, self.store, self.told, self.stack = study, store, told, stack
        self.workers, self.scheduler = workers, scheduler
        self.pool: DaskWorkers | None = None
        self.done = 0

    def rows(self, points: Sequence[Point], stage: Stage) -> list[Row]:
        """The rows of points, in their order."""
        keys = {tuple(point.items()): point for point in points}
        missing = [point for point in keys.values() if self.store.find(stage, point) is None]
        size = max(1, min(BATCH[stage], len(missing) // SHARES))
        tasks: list[Task] = [
            (self.study, missing[at : at + size], stage) for at in range(0, len(missing), size)
        ]
        done = len(points) - len(missing)
        self.told(stage, done, len(points))
        for found in self._pool(len(missing), stage).run(tasks):
            self.store.add(found)
            done += len(found)
            self.told(stage, done, len(points))
        known = [self.store.find(stage, point) for point in points]
        return [row for row in known if row is not None]

    def _pool(self, points: int, stage: Stage) -> DaskWorkers | InProcess:
        """Processes are started when first there is enough for them to do, and then kept."""
        few = points < TINY[stage] and self.workers is None and self.scheduler is None
        if self.pool is None and not few and self.workers != 0:
            self.pool = self.stack.enter_context(DaskWorkers(self.workers, self.scheduler))
        return self.pool or InProcess()


def fronts(study: Study, rows: Sequence[Row]) -> list[Row]:
    """The Pareto front of each network, one after another; of all together if accuracy counts."""
    if "accuracy" in study.objectives:
        return pareto_front(rows, study.objectives)
    return [
        row
        for network in study.networks
        for row in pareto_front([r for r in rows if r[NETWORK] == network], study.objectives)
    ]


def _survivors(study: Study, rows: Sequence[Row]) -> list[Point]:
    """Points that are simulated after the screening."""
    if study.simulate == "none":
        return []
    chosen = [row for row in rows if row["status"] == DONE]
    if study.simulate == "pareto":
        chosen = fronts(study, chosen)
    elif isinstance(study.simulate, TopSpec):
        first = study.objectives[0]
        able = [row for row in chosen if row[first] is not None]
        chosen = sorted(able, key=lambda row: METRICS[first] * row[first])[: study.simulate.top]
    return [{key: row[key] for key in study.space} for row in chosen]
