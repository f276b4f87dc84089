"""A queue of jobs that are too large for a batch. They run in pieces, beside the batches."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import Protocol, TypeVar

from service.engine.device import Device
from service.engine.job_queue import Job, JobQueue, settle
from service.engine.memory import is_out_of_memory, refusal
from service.engine.turns import BeforeEach, Turns
from service.errors import HandfulError

Result = TypeVar("Result")
Answer_co = TypeVar("Answer_co", covariant=True)

NICENESS = 5
"""Added niceness of the threads that run large jobs, so that batches come first on a busy processor."""


class Pieces(Protocol[Answer_co]):
    """A large job, cut into pieces of about `piece_s` seconds."""

    piece_s: float

    def advance(self, device: Device) -> Answer_co | HandfulError | None:
        """Run the next piece on a device. Returns the result after the last piece."""
        ...

    def next_is_short(self) -> bool:
        """Whether the next piece takes so little time that it need not pause within."""
        ...

    def shrink(self) -> bool:
        """Halve the pieces after one did not fit into memory. Returns whether that is possible."""
        ...


class LargeQueue(JobQueue[Pieces[Result], Result]):
    """Runs the next piece of the next job, with one thread for each device.

    A tenant has at most one running job, so that a thread is free for the others. Before each piece, and before each
    operation of torch in a long one, a job pauses until it is the turn of its tenant. A cancelled job stops there.
    """

    def __init__(self, name: str, devices: Sequence[Device], waiting: int, turns: Turns) -> None:
        super().__init__(name, waiting, len(devices))
        self._devices, self._turns = devices, turns
        self._running: set[str] = set()

    def _work(self, number: int) -> None:
        _be_nice()
        super()._work(number)

    def _submitted(self, job: Job[Pieces[Result], Result]) -> None:
        job.answer.add_done_callback(lambda answer: self._turns.wake())

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
            with self._turns.running(job.share[0]):
                outcome = self._advance(job, number)
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

    def _advance(self, job: Job[Pieces[Result], Result], number: int) -> Result | HandfulError | None:
        """Run the next piece, in the turn of its tenant. Raises CallerGone."""
        charge = partial(self._turns.charge, job.share[0])
        began = time.thread_time()

        def pause() -> None:
            nonlocal began
            charge(time.thread_time() - began)
            began, self._began[number] = time.thread_time(), None  # a job that pauses is not stuck
            self._turns.wait(job.share[0], stop=job.answer.done)
            self._began[number] = time.monotonic()
            if job.answer.done():
                raise CallerGone

        pause()
        with nullcontext() if job.work.next_is_short() else BeforeEach(pause):
            outcome = job.work.advance(self._devices[number])
        charge(time.thread_time() - began)
        return outcome


class CallerGone(Exception):
    """Nobody waits for the answer of this job."""


def _be_nice() -> None:
    """Lower the priority of this thread, if the system supports it."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
