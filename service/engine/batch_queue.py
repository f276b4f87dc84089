"""A queue and the thread that works it off in batches."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from service import metrics
from service.errors import Busy, Unavailable

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job(Generic[Work, Result]):
    """Work that waits: jobs of one `group` may run as one batch; `cost` counts its examples."""

    work: Work
    group: Hashable
    cost: int
    answer: "asyncio.Future[Result]"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a lane: jobs that may wait; jobs, and examples, that run as one batch."""

    waiting: int
    jobs: int
    cost: int


class BatchQueue(Generic[Work, Result]):
    """Runs jobs in the order they came, each together with those behind it that are of its group.

    It never waits for a batch to fill: what gathers while the device works is the next batch.
    """

    def __init__(self, name: str, run: Callable[[Sequence[Work]], Sequence[Result]], limits: Limits) -> None:
        self.name, self._run, self._limits = name, run, limits
        self._queue: deque[Job[Work, Result]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._batch_began: float | None = None
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Finish the batch in hand, refuse what waits, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def alive(self) -> bool:
        """Whether the thread works."""
        return self._thread.is_alive() and not self._closing

    def depth(self) -> int:
        """How many jobs wait."""
        return len(self._queue)

    def stuck_for(self) -> float:
        """Seconds since the batch in hand began; 0 when there is none."""
        began = self._batch_began
        return 0.0 if began is None else time.monotonic() - began

    def submit(self, work: Work, group: Hashable, cost: int) -> "asyncio.Future[Result]":
        """Queue work from an event loop; cancelling the future takes it out again. Raises Busy, Unavailable."""
        with self._changed:
            if not self.alive():
                raise Unavailable("The device worker is not running.")
            if len(self._queue) >= self._limits.waiting:
                self._queue = deque(job for job in self._queue if not job.answer.done())
            if len(self._queue) >= self._limits.waiting:
                raise Busy(f"{len(self._queue)} jobs wait already, and that is the limit. Try again soon.")
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
        """The next batch; nothing when closing."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if self._closing:
                    self._refuse_all()
                    return []
                if batch := self._next_batch():
                    return batch

    def _next_batch(self) -> list[Job[Work, Result]]:
        """Take the oldest job's group off the queue, up to the limits; jobs that nobody waits for are dropped."""
        waiting = [job for job in self._queue if not job.answer.done()]
        batch: list[Job[Work, Result]] = []
        for job in waiting:
            full = len(batch) == self._limits.jobs or (batch and (len(batch) + 1) * job.cost > self._limits.cost)
            if not full and job.group == waiting[0].group:
                batch.append(job)
        taken = set(map(id, batch))
        self._queue = deque(job for job in waiting if id(job) not in taken)
        return batch

    def _answer(self, batch: list[Job[Work, Result]]) -> None:
        """Run a batch; if it fails, run its jobs one by one, so that a bad one fails alone."""
        try:
            results = self._run([job.work for job in batch])
        except Exception as error:
            if len(batch) == 1:
                _settle([(batch[0].answer, error)])
                return
            for job in batch:
                self._answer([job])
            return
        _settle([(job.answer, result) for job, result in zip(batch, results, strict=True)])

    def _refuse_all(self) -> None:
        if self._queue:
            _settle([(job.answer, Unavailable("The device worker is stopping.")) for job in self._queue])
        self._queue.clear()


def _settle(outcomes: "Sequence[tuple[asyncio.Future[Result], Result | Exception]]") -> None:
    """Give the outcomes to those who wait for them in the event loop, if they still do: waking it takes long."""

    def settle() -> None:
        for answer, outcome in outcomes:
            if answer.done():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    loop = outcomes[0][0].get_loop()
    with suppress(RuntimeError):  # it has closed, and nobody waits
        loop.call_soon_threadsafe(settle)
