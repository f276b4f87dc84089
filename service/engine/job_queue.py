"""Jobs that wait for the device, and the threads that run them."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.engine.base import NOBODY, Share
from service.engine.costs import FREE, Cost
from service.engine.fair_queue import FairQueue
from service.errors import Busy, Unavailable

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job(Generic[Work, Result]):
    """Work that waits. Jobs of one `group` may run as one batch."""

    work: Work
    group: Hashable
    examples: int
    cost: Cost
    share: Share
    answer: "asyncio.Future[Result]"


class JobQueue(ABC, Generic[Work, Result]):
    """A fair queue of at most `waiting` jobs, served by `threads` threads."""

    def __init__(self, name: str, waiting: int, threads: int) -> None:
        self.name, self._waiting = name, waiting
        self._queue: FairQueue[Job[Work, Result]] = FairQueue(lambda job: job.answer.done())
        self._changed = threading.Condition()
        self._closing = False
        self._began: list[float | None] = [None] * threads
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish what runs, refuse the jobs that wait, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads) and not self._closing

    def depth(self) -> int:
        """Number of jobs that wait."""
        return len(self._queue)

    def stuck_for(self) -> float:
        """Seconds that the longest of the running batches has taken; 0 if none runs."""
        began = [each for each in self._began if each is not None]
        return time.monotonic() - min(began) if began else 0.0

    def submit(
        self, work: Work, group: Hashable, examples: int, cost: Cost = FREE, share: Share = NOBODY
    ) -> "asyncio.Future[Result]":
        """Queue work from an event loop. Cancelling the future removes it again. Raises Busy, Unavailable."""
        with self._changed:
            if not self.alive():
                raise Unavailable("The device worker is not running.")
            if len(self._queue) >= self._waiting:
                self._queue.drop_gone()
            if len(self._queue) >= self._waiting:
                raise Busy(f"{len(self._queue)} jobs are waiting, the limit. Try again soon.")
            job = Job(work, group, examples, cost, share, asyncio.get_running_loop().create_future())
            self._submitted(job)
            self._push(job)
        return job.answer

    @abstractmethod
    def _submitted(self, job: Job[Work, Result]) -> None:
        """Called when a job is submitted."""

    @abstractmethod
    def _next(self) -> list[Job[Work, Result]]:
        """Take the next jobs for one thread; none if there are none."""

    @abstractmethod
    def _serve(self, jobs: list[Job[Work, Result]], number: int) -> None:
        """Run jobs in thread `number`."""

    def _push(self, job: Job[Work, Result]) -> None:
        self._queue.push(job, job.share, job.group, job.cost.seconds)
        self._changed.notify()

    def _work(self, number: int) -> None:
        while jobs := self._take():
            self._began[number] = time.monotonic()
            self._serve(jobs, number)
            self._began[number] = None

    def _take(self) -> list[Job[Work, Result]]:
        """Wait for the next jobs. Returns none when the queue closes."""
        with self._changed:
            while not self._closing:
                if jobs := self._next():
                    return jobs
                self._changed.wait()
            if jobs := self._queue.drain():
                settle([(job.answer, Unavailable("The device worker is stopping.")) for job in jobs])
            return []


def settle(outcomes: "Sequence[tuple[asyncio.Future[Result], Result | Exception]]") -> None:
    """Pass all outcomes to the event loop in one call, because waking the loop is slow."""

    def set_results() -> None:
        for answer, outcome in outcomes:
            if answer.done():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    loop = outcomes[0][0].get_loop()
    with suppress(RuntimeError):  # the loop has closed, and nobody waits
        loop.call_soon_threadsafe(set_results)
