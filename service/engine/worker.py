"""The engine: one device, the queues of jobs for it, and the states that it caches."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from torch import Tensor

from service import metrics
from service.arrays import Array, Arrays, SupportSet
from service.engine.base import NOBODY, ExportJob, Fits, Share, StateNotCached
from service.engine.batch_queue import BatchQueue, Limits
from service.engine.budget import LARGE_ADAPT_S, LARGE_PREDICT_S, Budget
from service.engine.costs import FREE, Cost
from service.engine.deadline import within
from service.engine.device import Device
from service.engine.explaining import LargeExplain, Question
from service.engine.exports import Exports
from service.engine.feature_cache import FeatureCache
from service.engine.folds import choices, folds, same_inputs
from service.engine.jobs import Adapted, AdaptJob, Kept, PredictJob
from service.engine.large_queue import LargeQueue
from service.engine.learners import load, twins
from service.engine.pieces import LargeAdapt, LargeEncode, LargeFamiliar, LargeHeldOut, LargePredict
from service.engine.state_cache import StateCache
from service.engine.turns import Turns
from service.errors import Diverged, TooCostly
from service.settings import Settings

LARGE_JOBS = 2
"""Large adapts, and large predicts, that run at a time, each of another tenant."""


class Worker:
    """An Engine in this process. Call its methods from one event loop.

    Adapts and predicts run in batches, in a thread each, so that neither waits behind the other. Jobs that are too
    large for a batch run in pieces in threads of their own.
    """

    def __init__(self, models: Sequence[str], settings: Settings) -> None:
        self._settings, self._learners = settings, load(models, settings)
        learners = self._learners
        self.models = list(learners)
        limits = Limits(settings.queue, settings.batch_jobs, settings.batch_examples)
        self.budget = Budget(learners, settings.max_job_s, settings.max_job_bytes)
        self._features = FeatureCache(settings.feature_cache_bytes, settings.feature_cache_s)
        self._adapting = Device(learners, settings, self._features, compiling=settings.compile)
        self._predicting = Device(twins(learners), settings, self._features, compiling=settings.compile)
        large = [Device(twins(learners), settings, self._features, compiling=False) for _ in range(2 * LARGE_JOBS)]
        turns = self._turns = Turns()
        self._adapts = BatchQueue("adapt", self._adapt, limits, turns)
        self._predicts = BatchQueue("predict", self._predict, limits, turns)
        self._large_adapts = LargeQueue[Arrays]("large-adapt", large[:LARGE_JOBS], settings.queue, turns)
        self._large_predicts = LargeQueue[Array]("large-predict", large[LARGE_JOBS:], settings.queue, turns)
        self._exports = Exports(settings, turns)
        self._queues = (self._adapts, self._predicts, self._large_adapts, self._large_predicts, self._exports)
        self._cache: StateCache[Kept] = StateCache(settings.state_cache_bytes)

    def start(self) -> None:
        """Start all threads."""
        for queue in self._queues:
            queue.start()

    def close(self) -> None:
        """Finish what runs and refuse the jobs that wait."""
        self._turns.close()
        for queue in self._queues:
            queue.close()

    def stuck_for(self) -> float:
        """Seconds that the longest of the running batches and pieces has taken so far."""
        return max(queue.stuck_for() for queue in self._queues)

    def alive(self) -> bool:
        """Whether all threads run."""
        return all(queue.alive() for queue in self._queues)

    async def adapt(
        self,
        model: str,
        key: str,
        support: SupportSet,
        *,
        extends: str | None = None,
        kept: Sequence[int] | None = None,
        share: Share = NOBODY,
        rebuild: bool = False,
    ) -> Arrays:
        """Adapt to a support set, and cache the state under `key`. See `Engine.adapt`."""
        submitted = self.submit_adapt(model, key, support, extends, kept, share, rebuild)
        return await within(self._settings.deadline_s, submitted)

    async def predict(
        self, model: str, key: str, queries: Array, state: Arrays | None = None, *, share: Share = NOBODY
    ) -> Array:
        """Answer queries from the state under `key`, or from `state`, which is then cached. See `Engine.predict`."""
        if state is not None:
            self.put(key, state)
        return await within(self._settings.deadline_s, self.submit_predict(model, key, queries, share))

    async def held_out(self, model: str, key: str, support: SupportSet, *, share: Share = NOBODY) -> Arrays:
        """The answer to each example from the state of adapting without it. See `Engine.held_out`."""
        return await within(self._settings.deadline_s, self.submit_held_out(model, key, support, share))

    def submit_held_out(
        self, model: str, key: str, support: SupportSet, share: Share = NOBODY
    ) -> "asyncio.Future[Arrays]":
        """Queue the folds of a support set, as many as take an acceptable time. Raises TooCostly, Busy, Unavailable."""
        kept = self._cache.get(key)
        job = AdaptJob(model, key, support, None if kept is None else kept.features, share[0])
        fold, cost = self._folds(job, sum(value.numel() for value in kept.state.values()) if kept else 0)
        most = min(self._settings.batch_jobs, self._settings.batch_examples // max(1, len(support.targets)))
        together, encodes = self.budget.fit_together(job, most), self._adapting.encodes(model)
        large = LargeHeldOut(job, fold, cost, encodes=encodes, together=together)
        return self._large_adapts.submit(large, model, len(job.new_inputs()), cost, share)

    async def familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None = None, *, share: Share = NOBODY
    ) -> Array:
        """How familiar queries are to a support set. See `Engine.familiar`."""
        return await within(self._settings.deadline_s, self.submit_familiar(model, key, queries, support, share))

    def submit_familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None, share: Share = NOBODY
    ) -> "asyncio.Future[Array]":
        """Queue queries to the features of a support set. Raises StateNotCached, TooCostly, Busy, Unavailable."""
        kept = self._cache.get(key)
        if kept is not None and kept.features is not None and kept.targets is not None:
            known = SupportSet(queries[:0], kept.targets, int(kept.targets.max()) + 1, weights=kept.weights)
            job = AdaptJob(model, key, known, kept.features, share[0])
        elif support is not None:
            job = AdaptJob(model, key, support._replace(names=None), None, share[0])
        else:
            raise StateNotCached
        cost = self.budget.encode(model, len(job.new_inputs()) + len(queries))

        def keep(features: Tensor) -> None:
            if (now := self._cache.get(key)) is not None and now.features is None:
                support = job.support
                self._keep(key, now._replace(features=features, targets=support.targets, weights=support.weights))

        large = LargeFamiliar(job, queries, cost, keep)
        return self._large_predicts.submit(large, model, len(queries), cost, share)

    async def features(self, model: str, queries: Array, *, share: Share = NOBODY) -> Array:
        """Features (q, d) of queries. See `Engine.features`."""
        return await within(self._settings.deadline_s, self.submit_features(model, queries, share))

    def submit_features(self, model: str, queries: Array, share: Share = NOBODY) -> "asyncio.Future[Array]":
        """Queue queries to be encoded. Raises TooCostly, Busy, Unavailable."""
        cost = self.budget.encode(model, len(queries)) if self._adapting.encodes(model) else FREE
        large = LargeEncode(model, queries, share[0], cost)
        return self._large_predicts.submit(large, model, len(queries), cost, share)

    async def explain(
        self,
        model: str,
        key: str,
        queries: Array,
        contrast: Array,
        support: SupportSet,
        parts: int = 0,
        *,
        share: Share = NOBODY,
    ) -> Arrays:
        """What the examples of a support set contribute to answers. See `Engine.explain`."""
        asked = self.submit_explain(model, key, queries, contrast, support, parts, share)
        return await within(self._settings.deadline_s, asked)

    def submit_explain(
        self,
        model: str,
        key: str,
        queries: Array,
        contrast: Array,
        support: SupportSet,
        parts: int = 0,
        share: Share = NOBODY,
    ) -> "asyncio.Future[Arrays]":
        """Queue an explanation. Raises TooCostly, Busy, Unavailable."""
        kept = self._cache.get(key)
        job = AdaptJob(model, key, support, None if kept is None else kept.features, share[0])
        numbers = sum(value.numel() for value in kept.state.values()) if kept else 0
        cost = self.budget.explain(job, len(queries), parts, numbers)
        crowded = self._learners[model].max_examples is not None
        together = 1 if crowded else self.budget.fit_together(job, self._settings.batch_jobs)
        exact = self._adapting.explains(model)
        large = LargeExplain(job, Question(queries, contrast), cost, exact=exact, together=together)
        return self._large_adapts.submit(large, model, len(job.new_inputs()) + len(queries), cost, share)

    async def export(self, job: ExportJob, *, share: Share = NOBODY) -> bytes:
        """The ONNX file of a client's network. See `Engine.export`."""
        return await within(self._settings.export_s, self.submit_export(job, share))

    def submit_export(self, job: ExportJob, share: Share = NOBODY) -> "asyncio.Future[bytes]":
        """Queue an export, which runs in a process of its own. Raises NotExportable, Busy, Unavailable."""
        return self._exports.start_export(job, share)

    def _folds(self, job: AdaptJob, numbers: int) -> tuple[Array, Cost]:
        """The most folds that take an acceptable time, and their cost. Raises TooCostly."""
        same, support = same_inputs(job.support.inputs), job.support
        *many, fewest = choices(int(same.max(initial=0)) + 1)
        for count in many:
            with suppress(TooCostly):
                cost = self.budget.held_out(job, count, numbers)
                return folds(same, support.targets, support.ways, count), cost
        cost = self.budget.held_out(job, fewest, numbers)
        return folds(same, support.targets, support.ways, fewest), cost

    def submit_adapt(
        self,
        model: str,
        key: str,
        support: SupportSet,
        extends: str | None = None,
        kept: Sequence[int] | None = None,
        share: Share = NOBODY,
        rebuild: bool = False,
    ) -> "asyncio.Future[Arrays]":
        """Queue an adapt. Cancelling the future removes it from the queue. Raises TooCostly, Busy, Unavailable."""
        known = None if extends is None else self._cache.get(extends)
        features = None if known is None else known.features
        features = features if features is None or kept is None else features[[*kept]]
        job = AdaptJob(model, key, support, features, share[0])
        cost, examples = self.budget.adapt(job, limited=not rebuild), len(job.new_inputs())
        if cost.marginal <= LARGE_ADAPT_S:
            return self._adapts.submit(job, model, examples, cost, share)
        large = LargeAdapt(job, cost, self._adapted, encodes=self._adapting.encodes(model))
        return self._large_adapts.submit(large, model, examples, cost, share)

    def submit_predict(self, model: str, key: str, queries: Array, share: Share = NOBODY) -> "asyncio.Future[Array]":
        """Queue queries to a cached state. Cancelling the future removes them from the queue. Raises StateNotCached,
        TooCostly, Busy, Unavailable."""
        kept = self._cache.get(key)
        if kept is None:
            raise StateNotCached
        job = PredictJob(model, kept.state, queries, share[0])
        cost = self.budget.predict(job)
        if cost.marginal <= LARGE_PREDICT_S:
            return self._predicts.submit(job, model, len(queries), cost, share)
        large = LargePredict(job, cost, self._predicted, together=self._predicting.transductive(model))
        return self._large_predicts.submit(large, model, len(queries), cost, share)

    def put(self, key: str, state: Arrays) -> None:
        """Cache a state on the device; the least recently used ones make room."""
        self._keep(key, Kept(self._predicting.place(state)))

    def evict(self, key: str) -> None:
        """Remove a state from the cache."""
        self._cache.evict(key)

    def spent(self) -> dict[str, float]:
        """Processor time that each tenant has used since the last call."""
        return self._turns.spent()

    async def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        """The largest jobs that are accepted now. See `Engine.fits`."""
        return self.budget.fits(model, ways, examples, inputs)

    def measure(self) -> None:
        """Update the gauges and drop old features. Called once a second, since it costs more than a small job."""
        self._features.expire()
        for queue in self._queues:
            metrics.queue_depth.labels(queue.name).set(queue.depth())
        metrics.state_cache_bytes.set(self._cache.bytes)
        metrics.device_memory_bytes.set(self._predicting.memory_bytes())

    def measure_memory(self, model: str, support: SupportSet) -> None:
        """Measure the memory that an adapt takes, beside that of its features. May run in any thread."""
        device = Device(twins({model: self._learners[model]}), self._settings, compiling=False)
        job = AdaptJob(model, "", support)
        if device.encodes(model):
            job = job._replace(features=device.encode(model, [support.inputs])[0])
        self.budget.measure_memory(job, device.peak_bytes(job))

    def _adapt(self, jobs: Sequence[AdaptJob]) -> list[Arrays | Diverged]:
        elapsed = self._adapting.timer()
        adapted = self._adapting.adapt(jobs)
        seconds = elapsed() if len(jobs) == 1 else None
        return [self._adapted(job, one, seconds) for job, one in zip(jobs, adapted, strict=True)]

    def _predict(self, jobs: Sequence[PredictJob]) -> list[Array | Diverged]:
        elapsed = self._predicting.timer()
        answers = self._predicting.predict(jobs)
        if len(jobs) == 1:
            self._predicted(jobs[0], answers[0], elapsed())
        return answers

    def _adapted(self, job: AdaptJob, adapted: Adapted | Diverged, seconds: float | None) -> Arrays | Diverged:
        """Learn the cost of an adapt that ran alone, and cache the state, which stays on the device."""
        if seconds is not None:
            self.budget.measure_adapt(job, seconds)
        if isinstance(adapted, Diverged):
            return adapted
        self._keep(job.key, adapted.kept)
        return adapted.state

    def _predicted(self, job: PredictJob, answers: Array | Diverged, seconds: float) -> Array | Diverged:
        """Learn the cost of a predict that ran alone."""
        self.budget.measure_predict(job, seconds)
        return answers

    def _keep(self, key: str, kept: Kept) -> None:
        self._cache.put(key, kept, kept.nbytes())
