"""A queue, and the thread that runs its jobs in batches."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from service import metrics
from service.errors import Busy, HandfulError, Unavailable

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job(Generic[Work, Result]):
    """Work that waits. Jobs of one `group` may run as one batch; `cost` is its number of examples."""

    work: Work
    group: Hashable
    cost: int
    answer: "asyncio.Future[Result]"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most jobs that may wait; most jobs and most examples that run as one batch."""

    waiting: int
    jobs: int
    cost: int


class BatchQueue(Generic[Work, Result]):
    """Runs jobs in the order of arrival, each in one batch with later ones of its group.

    It never waits for a batch to fill: the jobs that arrive while the device works are the next batch.
    `run` returns a result for each job; an error among the results fails that job alone.
    """

    def __init__(
        self, name: str, run: Callable[[Sequence[Work]], Sequence[Result | HandfulError]], limits: Limits
    ) -> None:
        self.name, self._run, self._limits = name, run, limits
        self._queue: deque[Job[Work, Result]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._batch_began: float | None = None
        self._thread = threading.Thread(target=self._work, name=f"{name}-queue", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Finish the running batch, refuse the jobs that wait, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive() and not self._closing

    def depth(self) -> int:
        """Number of jobs that wait."""
        return len(self._queue)

    def stuck_for(self) -> float:
        """Seconds since the running batch began; 0 when there is none."""
        began = self._batch_began
        return 0.0 if began is None else time.monotonic() - began

    def submit(self, work: Work, group: Hashable, cost: int) -> "asyncio.Future[Result]":
        """Queue work from an event loop. Cancelling the future removes it again. Raises Busy, Unavailable."""
        with self._changed:
            if not self.alive():
                raise Unavailable("The device worker is not running.")
            if len(self._queue) >= self._limits.waiting:
                self._queue = deque(job for job in self._queue if not job.answer.done())
            if len(self._queue) >= self._limits.waiting:
                raise Busy(f"{len(self._queue)} jobs are waiting, which is the limit. Try again soon.")
            job = Job(work, group, cost, asyncio.get_running_loop().create_future())
            self._queue.append(job)
            self._changed.notify()
        return job.answer

    def _work(self) -> None:
        while batch := self._take():
            metrics.batch_size.labels(self.name).observe(len(batch))
            self._batch_began = time.monotonic()
            self._answer(batch)
            self._batch_began = None

    def _take(self) -> list[Job[Work, Result]]:
        """Wait for the next batch; an empty one means that the queue closes."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if self._closing:
                    self._refuse_all()
                    return []
                if batch := self._next_batch():
                    return batch

    def _next_batch(self) -> list[Job[Work, Result]]:
        """Take the jobs of the oldest job's group, up to the limits, and drop those whose caller has gone."""
        waiting = [job for job in self._queue if not job.answer.done()]
        batch: list[Job[Work, Result]] = []
        cost = 0
        for job in waiting:
            full = len(batch) == self._limits.jobs or (batch and cost + job.cost > self._limits.cost)
            if not full and job.group == waiting[0].group:
                batch.append(job)
                cost += job.cost
        taken = set(map(id, batch))
        self._queue = deque(job for job in waiting if id(job) not in taken)
        return batch

    def _answer(self, batch: list[Job[Work, Result]]) -> None:
        """Run a batch. If it fails, run its halves, so that only a job that fails alone is refused."""
        try:
            results = self._run([job.work for job in batch])
        except Exception as error:
            if len(batch) == 1:
                _settle([(batch[0].answer, error)])
                return
            middle = len(batch) // 2
            self._answer(batch[:middle])
            self._answer(batch[middle:])
            return
        _settle([(job.answer, result) for job, result in zip(batch, results, strict=True)])

    def _refuse_all(self) -> None:
        if self._queue:
            _settle([(job.answer, Unavailable("The device worker is stopping.")) for job in self._queue])
        self._queue.clear()


def _settle(outcomes: "Sequence[tuple[asyncio.Future[Result], Result | Exception]]") -> None:
    """Pass outcomes to the event loop, all in one call, since waking the loop is slow."""

    def settle() -> None:
        for answer, outcome in outcomes:
            if answer.done():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    loop = outcomes[0][0].get_loop()
    with suppress(RuntimeError):  # the loop has closed, and nobody waits
        loop.call_soon_threadsafe(settle)
