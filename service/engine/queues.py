"""The queues of jobs for one device, and the threads that run them."""

import asyncio
from collections.abc import Mapping, Sequence

from models.learner import Learner
from service import metrics
from service.arrays import Array, Arrays
from service.engine.base import Share
from service.engine.batch_queue import BatchQueue, Limits
from service.engine.budget import LARGE_ADAPT_S, LARGE_PREDICT_S, Budget
from service.engine.costs import Cost
from service.engine.device import Device
from service.engine.exports import Exports
from service.engine.feature_cache import FeatureCache
from service.engine.jobs import Adapted, AdaptJob, PredictJob
from service.engine.kept_states import KeptStates
from service.engine.large_queue import LargeQueue
from service.engine.learners import twins
from service.engine.pieces import LargeAdapt, LargePredict
from service.engine.turns import Turns
from service.errors import Diverged
from service.settings import Settings

LARGE_JOBS = 2
"""Large adapts, and large predicts, that run at a time, each of another tenant."""


class Queues:
    """Adapts and predicts run in batches, in a thread each, so that neither waits behind the other. Jobs that are too
    large for a batch run in pieces in threads of their own.

    The budget learns the costs of jobs that run alone. The states of adapts are kept on the device.
    """

    def __init__(
        self,
        learners: Mapping[str, Learner],
        settings: Settings,
        features: FeatureCache,
        budget: Budget,
        kept: KeptStates,
    ) -> None:
        self._budget, self._kept = budget, kept
        self.adapting = Device(learners, settings, features, compiling=settings.compile)
        self.predicting = Device(twins(learners), settings, features, compiling=settings.compile)
        large = [Device(twins(learners), settings, features, compiling=False) for _ in range(2 * LARGE_JOBS)]
        limits, turns = Limits(settings.queue, settings.batch_jobs, settings.batch_examples), Turns()
        self._turns = turns
        self._adapts = BatchQueue("adapt", self._adapt, limits, turns)
        self._predicts = BatchQueue("predict", self._predict, limits, turns)
        self.large_adapts = LargeQueue[Arrays]("large-adapt", large[:LARGE_JOBS], settings.queue, turns)
        self.large_predicts = LargeQueue[Array]("large-predict", large[LARGE_JOBS:], settings.queue, turns)
        self.exports = Exports(settings, turns)
        self._all = (self._adapts, self._predicts, self.large_adapts, self.large_predicts, self.exports)

    def start(self) -> None:
        """Start all threads."""
        for queue in self._all:
            queue.start()

    def close(self) -> None:
        """Finish what runs and refuse the jobs that wait."""
        self._turns.close()
        for queue in self._all:
            queue.close()

    def stuck_for(self) -> float:
        """Seconds that the longest of the running batches and pieces has taken so far."""
        return max(queue.stuck_for() for queue in self._all)

    def alive(self) -> bool:
        """Whether all threads run."""
        return all(queue.alive() for queue in self._all)

    def spent(self) -> dict[str, float]:
        """Processor time that each tenant has used since the last call."""
        return self._turns.spent()

    def measure(self) -> None:
        """Update the gauges of the depths."""
        for queue in self._all:
            metrics.queue_depth.labels(queue.name).set(queue.depth())

    def adapt(self, job: AdaptJob, cost: Cost, share: Share) -> "asyncio.Future[Arrays]":
        """Queue an adapt: for a batch, or in pieces. Raises Busy, Unavailable."""
        examples = len(job.new_inputs())
        if cost.marginal <= LARGE_ADAPT_S:
            return self._adapts.submit(job, job.model, examples, cost, share)
        large = LargeAdapt(job, cost, self._adapted, encodes=self.adapting.encodes(job.model))
        return self.large_adapts.submit(large, job.model, examples, cost, share)

    def predict(self, job: PredictJob, cost: Cost, share: Share) -> "asyncio.Future[Array]":
        """Queue a predict: for a batch, or in pieces. Raises Busy, Unavailable."""
        if cost.marginal <= LARGE_PREDICT_S:
            return self._predicts.submit(job, job.model, len(job.queries), cost, share)
        large = LargePredict(job, cost, self._predicted, together=self.predicting.transductive(job.model))
        return self.large_predicts.submit(large, job.model, len(job.queries), cost, share)

    def _adapt(self, jobs: Sequence[AdaptJob]) -> list[Arrays | Diverged]:
        elapsed = self.adapting.timer()
        adapted = self.adapting.adapt(jobs)
        seconds = elapsed() if len(jobs) == 1 else None
        return [self._adapted(job, one, seconds) for job, one in zip(jobs, adapted, strict=True)]

    def _predict(self, jobs: Sequence[PredictJob]) -> list[Array | Diverged]:
        elapsed = self.predicting.timer()
        answers = self.predicting.predict(jobs)
        if len(jobs) == 1:
            self._predicted(jobs[0], answers[0], elapsed())
        return answers

    def _adapted(self, job: AdaptJob, adapted: Adapted | Diverged, seconds: float | None) -> Arrays | Diverged:
        """Learn the cost of an adapt that ran alone, and keep the state, which stays on the device."""
        if seconds is not None:
            self._budget.measure_adapt(job, seconds)
        if isinstance(adapted, Diverged):
            return adapted
        self._kept.keep(job.key, adapted.kept)
        return adapted.state

    def _predicted(self, job: PredictJob, answers: Array | Diverged, seconds: float) -> Array | Diverged:
        """Learn the cost of a predict that ran alone."""
        self._budget.measure_predict(job, seconds)
        return answers
