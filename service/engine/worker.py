"""The engine: one device, the queues of jobs for it, and the states that it caches."""

from collections.abc import Sequence

from service import metrics
from service.arrays import Array, Arrays, SupportSet
from service.engine.base import NOBODY, ExportJob, Fits, Share
from service.engine.deadline import within
from service.engine.device import Device
from service.engine.jobs import AdaptJob
from service.engine.learners import twins
from service.engine.submissions import Submissions


class Worker(Submissions):
    """An Engine in this process: it waits for what it submits. Call its methods from one event loop."""

    def start(self) -> None:
        """Start all threads."""
        self._queues.start()

    def close(self) -> None:
        """Finish what runs and refuse the jobs that wait."""
        self._queues.close()

    def stuck_for(self) -> float:
        """Seconds that the longest of the running batches and pieces has taken so far."""
        return self._queues.stuck_for()

    def alive(self) -> bool:
        """Whether all threads run."""
        return self._queues.alive()

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

    async def familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None = None, *, share: Share = NOBODY
    ) -> Array:
        """How familiar queries are to a support set. See `Engine.familiar`."""
        return await within(self._settings.deadline_s, self.submit_familiar(model, key, queries, support, share))

    async def features(self, model: str, queries: Array, *, share: Share = NOBODY) -> Array:
        """Features (q, d) of queries. See `Engine.features`."""
        return await within(self._settings.deadline_s, self.submit_features(model, queries, share))

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

    async def export(self, job: ExportJob, *, share: Share = NOBODY) -> bytes:
        """The ONNX file of a client's network. See `Engine.export`."""
        return await within(self._settings.export_s, self.submit_export(job, share))

    async def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        """The largest jobs that are accepted now. See `Engine.fits`."""
        return self.budget.fits(model, ways, examples, inputs)

    def spent(self) -> dict[str, float]:
        """Processor time that each tenant has used since the last call."""
        return self._queues.spent()

    def measure(self) -> None:
        """Update the gauges and drop old features. Called once a second, since it costs more than a small job."""
        self._features.expire()
        self._queues.measure()
        metrics.state_cache_bytes.set(self._cache.bytes)
        metrics.device_memory_bytes.set(self._queues.predicting.memory_bytes())

    def measure_memory(self, model: str, support: SupportSet) -> None:
        """Measure the memory that an adapt takes, beside that of its features. May run in any thread."""
        device = Device(twins({model: self._learners[model]}), self._settings, compiling=False)
        job = AdaptJob(model, "", support)
        if device.encodes(model):
            job = job._replace(features=device.encode(model, [support.inputs])[0])
        self.budget.measure_memory(job, device.peak_bytes(job))
