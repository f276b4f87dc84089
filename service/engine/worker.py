"""The engine: one device, a queue and a thread for adapts, another for predicts, and the states that it caches."""

import asyncio
from collections.abc import Sequence

from service import metrics
from service.arrays import Array, Arrays
from service.engine.base import StateNotCached, SupportSet
from service.engine.batch_queue import BatchQueue, Limits
from service.engine.deadline import within
from service.engine.device import Device
from service.engine.jobs import Adapted, AdaptJob, Kept, PredictJob
from service.engine.state_cache import StateCache
from service.errors import HandfulError
from service.settings import Settings


class Worker:
    """An Engine in this process. Call its methods from one event loop. Adapts and predicts run in two threads, so that
    neither waits behind the other."""

    def __init__(self, models: Sequence[str], settings: Settings) -> None:
        self._settings = settings
        limits = Limits(settings.queue, settings.batch_jobs, settings.batch_examples)
        self._adapting, self._predicting = Device(models, settings), Device(models, settings)
        self._adapts = BatchQueue("adapt", self._adapt, limits)
        self._predicts = BatchQueue("predict", self._predicting.predict, limits)
        self._cache: StateCache[Kept] = StateCache(settings.state_cache_bytes)

    def start(self) -> None:
        """Start both threads."""
        self._adapts.start()
        self._predicts.start()

    def close(self) -> None:
        """Finish the batches that run and refuse the jobs that wait."""
        self._adapts.close()
        self._predicts.close()

    def stuck_for(self) -> float:
        """Seconds that the longest of the running batches has taken so far."""
        return max(self._adapts.stuck_for(), self._predicts.stuck_for())

    def alive(self) -> bool:
        """Whether both threads run."""
        return self._adapts.alive() and self._predicts.alive()

    async def adapt(self, model: str, key: str, support: SupportSet, *, extends: str | None = None) -> Arrays:
        """Adapt to a support set, and cache the state under `key`. See `Engine.adapt`."""
        return await within(self._settings.deadline_s, self.submit_adapt(model, key, support, extends))

    async def predict(self, model: str, key: str, queries: Array, state: Arrays | None = None) -> Array:
        """Answer queries from the state under `key`, or from `state`, which is then cached. See `Engine.predict`."""
        if state is not None:
            self.put(key, state)
        return await within(self._settings.deadline_s, self.submit_predict(model, key, queries))

    def submit_adapt(
        self, model: str, key: str, support: SupportSet, extends: str | None = None
    ) -> "asyncio.Future[Arrays]":
        """Queue an adapt. Cancelling the future removes it from the queue."""
        known = None if extends is None else self._cache.get(extends)
        job = AdaptJob(model, key, support, None if known is None else known.features)
        return self._adapts.submit(job, model, len(job.new_inputs()))

    def submit_predict(self, model: str, key: str, queries: Array) -> "asyncio.Future[Array]":
        """Queue queries to a cached state. Cancelling the future removes them from the queue. Raises StateNotCached."""
        kept = self._cache.get(key)
        if kept is None:
            raise StateNotCached
        return self._predicts.submit(PredictJob(model, kept.state, queries), model, len(queries))

    def put(self, key: str, state: Arrays) -> None:
        """Cache a state on the device; the least recently used ones make room."""
        self._keep(key, Kept(self._predicting.place(state)))

    def evict(self, key: str) -> None:
        """Remove a state from the cache."""
        self._cache.evict(key)

    def measure(self) -> None:
        """Update the gauges. Called once a second, since an update costs more than a small job."""
        for queue in (self._adapts, self._predicts):
            metrics.queue_depth.labels(queue.name).set(queue.depth())
        metrics.state_cache_bytes.set(self._cache.bytes)
        metrics.device_memory_bytes.set(self._predicting.memory_bytes())

    def _adapt(self, jobs: Sequence[AdaptJob]) -> list[Arrays | HandfulError]:
        """Run a batch of adapts, and cache the states, which stay on the device."""
        adapted = self._adapting.adapt(jobs)
        for job, one in zip(jobs, adapted, strict=True):
            if isinstance(one, Adapted):
                self._keep(job.key, one.kept)
        return [one.state if isinstance(one, Adapted) else one for one in adapted]

    def _keep(self, key: str, kept: Kept) -> None:
        self._cache.put(key, kept, kept.nbytes())
