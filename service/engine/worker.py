"""The engine: one device, a lane of threads for adapts and one for predicts, and the states it holds."""

import asyncio
from collections.abc import Hashable, Sequence

from models.learner import State
from service import metrics
from service.arrays import Array, Arrays
from service.engine.base import StateNotCached, SupportSet
from service.engine.batch_queue import BatchQueue, Limits
from service.engine.batching import bucket
from service.engine.deadline import within
from service.engine.device import AdaptWork, Device, PredictWork
from service.engine.state_cache import StateCache
from service.settings import Settings


class Worker:
    """An Engine in this process. Its methods are called from one event loop; the device works in two threads, so that
    adapts and predicts do not wait behind each other."""

    def __init__(self, models: Sequence[str], settings: Settings) -> None:
        self._settings = settings
        limits = Limits(settings.queue, settings.batch_jobs, settings.batch_examples)
        self._adapts = BatchQueue("adapt", Device(models, settings).adapt, limits)
        self._device = Device(models, settings)
        self._predicts = BatchQueue("predict", self._device.predict, limits)
        self._states: StateCache[State] = StateCache(settings.state_cache_bytes)

    def start(self) -> None:
        """Begin to work."""
        self._adapts.start()
        self._predicts.start()

    def close(self) -> None:
        """Finish what runs, refuse what waits."""
        self._adapts.close()
        self._predicts.close()

    def stuck_for(self) -> float:
        """Seconds that the longest batch in hand has run for."""
        return max(self._adapts.stuck_for(), self._predicts.stuck_for())

    def alive(self) -> bool:
        """Whether both lanes work."""
        return self._adapts.alive() and self._predicts.alive()

    async def adapt(self, model: str, key: str, support: SupportSet, *, extends: str | None = None) -> Arrays:
        """Adapt to a support set and cache the state under `key`."""
        return await within(self._settings.deadline_s, self.submit_adapt(model, key, support, extends))

    async def predict(self, model: str, key: str, queries: Array, state: Arrays | None = None) -> Array:
        """Logits (q, ways) or values (q, outputs) from the state held under `key`, or from `state`, which is held from
        then on. Raises StateNotHeld when there is neither."""
        if state is not None:
            self.put(key, state)
        return await within(self._settings.deadline_s, self.submit_predict(model, key, queries))

    def submit_adapt(
        self, model: str, key: str, support: SupportSet, extends: str | None = None
    ) -> "asyncio.Future[Arrays]":
        """Queue an adapt; cancelling the future takes it out again."""

        def put(adapted: "asyncio.Future[Arrays]") -> None:
            if not adapted.cancelled() and adapted.exception() is None:
                self.put(key, adapted.result())

        size = bucket(len(support.inputs))
        adapted = self._adapts.submit(AdaptWork(model, support), (model, support.ways, size), size)
        adapted.add_done_callback(put)
        return adapted

    def submit_predict(self, model: str, key: str, queries: Array) -> "asyncio.Future[Array]":
        """Queue queries to a state that is held; cancelling the future takes them out again. Raises StateNotHeld."""
        state = self._states.get(key)
        if state is None:
            raise StateNotCached
        size = bucket(len(queries))
        return self._predicts.submit(PredictWork(model, state, queries), self._predict_group(model, state, size), size)

    def put(self, key: str, state: Arrays) -> None:
        """Keep a state on the device; the least recently used ones make room."""
        placed = self._device.place(state)
        self._states.put(key, placed, sum(value.nbytes for value in placed.values()))

    def evict(self, key: str) -> None:
        """Hold a state no longer."""
        self._states.evict(key)

    def measure(self) -> None:
        """Tell Prometheus what waits and what is held: now and then, since telling costs more than a small job."""
        for lane in (self._adapts, self._predicts):
            metrics.queue_depth.labels(lane.name).set(lane.depth())
        metrics.state_cache_bytes.set(self._states.bytes)
        metrics.device_memory_bytes.set(self._device.memory_bytes())

    def _predict_group(self, model: str, state: State, size: int) -> Hashable:
        """Requests of alike states and about as many queries; a transductive request alone, so unpadded."""
        if self._device.transductive(model):
            return object()
        return model, size, tuple((name, value.shape, value.dtype) for name, value in state.items())
