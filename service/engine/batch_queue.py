"""A queue that runs its jobs in batches."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service import metrics
from service.engine.job_queue import Job, JobQueue, Result, Work, settle
from service.engine.memory import refusal
from service.engine.turns import Turns
from service.errors import HandfulError

BATCH_S = 0.02
"""Maximum estimated seconds of a batch. Jobs of other tenants wait for its end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum number of waiting jobs; maximum jobs, examples and seconds of one batch."""

    waiting: int
    jobs: int
    examples: int
    seconds: float = BATCH_S


class BatchQueue(JobQueue[Work, Result]):
    """Runs the next job in one batch with the next jobs of its group.

    It never waits for a batch to fill: jobs that arrive during a batch form the next one. `run` returns a result for
    each job. An error among the results fails that job alone.
    """

    def __init__(
        self, name: str, run: Callable[[Sequence[Work]], Sequence[Result | HandfulError]], limits: Limits, turns: Turns
    ) -> None:
        super().__init__(name, limits.waiting, threads=1)
        self._run, self._limits, self._turns = run, limits, turns

    def _submitted(self, job: Job[Work, Result]) -> None:
        tenant = job.share[0]
        self._turns.enter(tenant)
        job.answer.add_done_callback(lambda answer: self._turns.leave(tenant))

    def _next(self) -> list[Job[Work, Result]]:
        """Take the next job, and others of its group up to the limits."""
        first = self._queue.pop()
        batch = [] if first is None else [first]
        while batch and (job := self._queue.pop(batch[0].group, fits=lambda job: self._fits(job, batch))):
            batch.append(job)
        return batch

    def _fits(self, job: Job[Work, Result], batch: list[Job[Work, Result]]) -> bool:
        limits = self._limits
        return (
            len(batch) < limits.jobs
            and job.examples + sum(each.examples for each in batch) <= limits.examples
            and job.cost.marginal + sum(each.cost.marginal for each in batch) <= limits.seconds
        )

    def _serve(self, jobs: list[Job[Work, Result]], number: int) -> None:
        metrics.batch_size.labels(self.name).observe(len(jobs))
        began = time.thread_time()
        self._answer(jobs)
        seconds = (time.thread_time() - began) / len(jobs)
        for job in jobs:
            self._turns.charge(job.share[0], seconds)

    def _answer(self, batch: list[Job[Work, Result]]) -> None:
        """Run a batch. If it fails, run its halves, so that only jobs that fail alone are refused."""
        try:
            results = self._run([job.work for job in batch])
        except Exception as error:
            failure = error.with_traceback(None)  # a traceback keeps the tensors of the batch in memory
        else:
            settle([(job.answer, result) for job, result in zip(batch, results, strict=True)])
            return
        if len(batch) == 1:
            settle([(batch[0].answer, refusal(failure))])
            return
        middle = len(batch) // 2
        self._answer(batch[:middle])
        self._answer(batch[middle:])
