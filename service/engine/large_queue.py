"""A queue of jobs that are too large for a batch. They run in pieces, beside the batches."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from service.engine.device import Device
from service.engine.job_queue import Job, JobQueue, settle
from service.engine.memory import is_out_of_memory, refusal
from service.engine.turns import BeforeEach, Turns
from service.errors import HandfulError

Result = TypeVar("Result")
Answer_co = TypeVar("Answer_co", covariant=True)

NICENESS = 5
"""Niceness of the threads that run large jobs, so that batches come first on a busy processor."""


class Pieces(Protocol[Answer_co]):
    """A large job, cut into pieces of about `piece_s` seconds."""

    piece_s: float

    def advance(self, device: Device) -> Answer_co | HandfulError | None:
        """Run the next piece on a device. Returns the result after the last piece."""
        ...

    def shrink(self) -> bool:
        """Halve the pieces after one did not fit into memory. Returns whether that is possible."""
        ...


class LargeQueue(JobQueue[Pieces[Result], Result]):
    """Runs the next piece of the next job, with one thread for each device.

    A tenant has at most one running job, so that a thread is free for the others. Before each operation of torch, a job
    pauses until it is the turn of its tenant. A cancelled job stops there.
    """

    large = True

    def __init__(self, name: str, devices: Sequence[Device], waiting: int, turns: Turns) -> None:
        super().__init__(name, waiting, len(devices), turns)
        self._devices = devices
        self._running: set[str] = set()

    def _work(self, number: int) -> None:
        _be_nice()
        super()._work(number)

    def _push(self, job: Job[Pieces[Result], Result]) -> None:
        self._queue.push(job, job.share, job.group, job.work.piece_s)
        self._changed.notify_all()

    def _next(self) -> list[Job[Pieces[Result], Result]]:
        job = self._queue.pop(without=self._running)
        if job is None:
            return []
        self._running.add(job.share[0])
        return [job]

    def _serve(self, jobs: list[Job[Pieces[Result], Result]], number: int) -> None:
        [job] = jobs
        outcome: Result | Exception | None
        try:
            with BeforeEach(self._pauses(job, number)):
                outcome = job.work.advance(self._devices[number])
        except Exception as error:
            failure = error.with_traceback(None)
            outcome = None if is_out_of_memory(failure) and job.work.shrink() else refusal(failure)
        if outcome is not None:
            settle([(job.answer, outcome)])
        with self._changed:
            self._running.discard(job.share[0])
            if outcome is None:
                self._push(job)
            self._changed.notify_all()

    def _pauses(self, job: Job[Pieces[Result], Result], number: int) -> Callable[[], None]:
        """A function that waits for the turn of a job. Raises CallerGone."""
        tenant, gone, charged = job.share[0], job.answer.done, time.thread_time()

        def pause() -> None:
            nonlocal charged
            self._turns.charge(tenant, (now := time.thread_time()) - charged)
            charged, self._began[number] = now, None  # a job that pauses is not stuck
            self._turns.wait(tenant, stop=gone)
            self._began[number] = time.monotonic()
            if gone():
                raise CallerGone

        return pause


class CallerGone(Exception):
    """Nobody waits for the answer of this job."""


def _be_nice() -> None:
    """Lower the priority of this thread, if the system supports it."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
