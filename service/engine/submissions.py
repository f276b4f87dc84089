"""From requests to jobs in the queues: with what is kept of the client, at the cost that the budget estimates."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from service.arrays import Array, Arrays, SupportSet
from service.engine.base import NOBODY, ExportJob, Share
from service.engine.budget import Budget
from service.engine.costs import FREE, Cost
from service.engine.explaining import LargeExplain, Question
from service.engine.feature_cache import FeatureCache
from service.engine.folds import choices, folds, same_inputs
from service.engine.jobs import AdaptJob, Kept
from service.engine.judging import LargeFamiliar, LargeHeldOut
from service.engine.kept_states import KeptStates
from service.engine.learners import load
from service.engine.pieces import LargeEncode
from service.engine.queues import Queues
from service.errors import TooCostly
from service.settings import Settings


class Submissions:
    """Queues jobs, and returns futures of their results. Cancelling a future removes its job from the queue.

    Each method raises TooCostly, Busy, Unavailable. Call them from one event loop.
    """

    def __init__(self, models: Sequence[str], settings: Settings) -> None:
        self._settings, self._learners = settings, load(models, settings)
        self.models = list(self._learners)
        self.budget = Budget(self._learners, settings.max_job_s, settings.max_job_bytes)
        self._features = FeatureCache(settings.feature_cache_bytes, settings.feature_cache_s)
        self._cache = KeptStates(settings.state_cache_bytes)
        self._queues = Queues(self._learners, settings, self._features, self.budget, self._cache)

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
        """Queue an adapt. See `Engine.adapt`."""
        job = self._cache.extending_job(model, key, support, extends, kept, share[0])
        return self._queues.adapt(job, self.budget.adapt(job, limited=not rebuild), share)

    def submit_predict(self, model: str, key: str, queries: Array, share: Share = NOBODY) -> "asyncio.Future[Array]":
        """Queue queries to a cached state. Raises StateNotCached. See `Engine.predict`."""
        job = self._cache.predict_job(model, key, queries, share[0])
        return self._queues.predict(job, self.budget.predict(job), share)

    def submit_held_out(
        self, model: str, key: str, support: SupportSet, share: Share = NOBODY
    ) -> "asyncio.Future[Arrays]":
        """Queue the folds of a support set, as many as take an acceptable time. See `Engine.held_out`."""
        job = self._cache.support_job(model, key, support, share[0])
        fold, cost = self._folds(job, self._cache.numbers(key))
        most = min(self._settings.batch_jobs, self._settings.batch_examples // max(1, len(support.targets)))
        together, encodes = self.budget.fit_together(job, most), self._queues.adapting.encodes(model)
        large = LargeHeldOut(job, fold, cost, encodes=encodes, together=together)
        return self._queues.large_adapts.submit(large, model, len(job.new_inputs()), cost, share)

    def submit_familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None, share: Share = NOBODY
    ) -> "asyncio.Future[Array]":
        """Queue queries to the features of a support set. Raises StateNotCached. See `Engine.familiar`."""
        job = self._cache.familiar_job(model, key, queries, support, share[0])
        cost = self.budget.encode(model, len(job.new_inputs()) + len(queries))
        large = LargeFamiliar(job, queries, cost, partial(self._cache.keep_features, job))
        return self._queues.large_predicts.submit(large, model, len(queries), cost, share)

    def submit_features(self, model: str, queries: Array, share: Share = NOBODY) -> "asyncio.Future[Array]":
        """Queue queries to be encoded. See `Engine.features`."""
        cost = self.budget.encode(model, len(queries)) if self._queues.predicting.encodes(model) else FREE
        large = LargeEncode(model, queries, share[0], cost)
        return self._queues.large_predicts.submit(large, model, len(queries), cost, share)

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
        """Queue an explanation. See `Engine.explain`."""
        job = self._cache.support_job(model, key, support, share[0])
        cost = self.budget.explain(job, len(queries), parts, self._cache.numbers(key))
        crowded = self._learners[model].max_examples is not None
        together = 1 if crowded else self.budget.fit_together(job, self._settings.batch_jobs)
        exact = self._queues.adapting.explains(model)
        large = LargeExplain(job, Question(queries, contrast), cost, exact=exact, together=together)
        return self._queues.large_adapts.submit(large, model, len(job.new_inputs()) + len(queries), cost, share)

    def submit_export(self, job: ExportJob, share: Share = NOBODY) -> "asyncio.Future[bytes]":
        """Queue an export, which runs in a process of its own. Raises NotExportable. See `Engine.export`."""
        return self._queues.exports.start_export(job, share)

    def put(self, key: str, state: Arrays) -> None:
        """Cache a state on the device; the least recently used ones make room."""
        self._cache.keep(key, Kept(self._queues.predicting.place(state)))

    def evict(self, key: str) -> None:
        """Remove a state from the cache."""
        self._cache.evict(key)

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
