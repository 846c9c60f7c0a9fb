"""Where points are evaluated: in this process, or by Dask on this machine or a cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from simulator.explore.evaluate import FAILED, Row, Stage, blank_row, evaluate
from simulator.explore.study import Point, Study
from traces.errors import InputError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

TINY = {"analytical": 150, "simulated": 12}
"""Points of each stage below which starting processes takes longer than they save."""

CONNECT_S = 10.0
"""Seconds in which a scheduler must answer."""

Task = tuple[Study, list[Point], Stage]


class InProcess:
    """Evaluates one batch after another, here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Row]]:
        """The rows of each batch as it is finished."""
        for study, points, stage in tasks:
            yield evaluate(study, points, stage)


class DaskWorkers:
    """Evaluates batches on Dask workers: processes of this machine, or those of a scheduler.

    A worker that is killed is replaced and its batch done again. A batch that keeps killing
    workers is taken apart; the point that does it is recorded as failed.
    """

    def __init__(self, workers: int | None, scheduler: str | None) -> None:
        self.workers, self.scheduler = workers or os.cpu_count() or 1, scheduler
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None

    def __enter__(self) -> Self:
        import dask
        from distributed import Client, LocalCluster

        dask.config.set({"distributed.logging.distributed": "critical"})
        if self.scheduler is not None:
            try:
                self._client = Client(self.scheduler, timeout=CONNECT_S)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"--scheduler must be the address of a Dask scheduler, not {self.scheduler}: "
                    f"{error}"
                ) from None
            return self
        self._cluster = LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        )
        self._client = Client(self._cluster)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for opened in (self._client, self._cluster):
            if opened is not None:
                opened.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[list[Row]]:
        """The rows of each batch as it is finished, in whatever order."""
        from distributed import KilledWorker, as_completed

        assert self._client is not None, "workers are used inside of `with`"
        of_future = {self._submit(task): task for task in tasks}
        waiting = as_completed(list(of_future))
        for future in waiting:
            study, points, stage = of_future.pop(future)
            try:
                rows: list[Row] = future.result()
            except KilledWorker as error:
                if len(points) == 1:
                    yield [blank_row(points[0], stage, FAILED, f"its worker died: {error}")]
                    continue
                for point in points:
                    single = self._submit((study, [point], stage))
                    of_future[single] = (study, [point], stage)
                    waiting.add(single)
                continue
            yield rows

    def _submit(self, task: Task) -> Any:
        assert self._client is not None
        return self._client.submit(evaluate, *task, pure=False)
