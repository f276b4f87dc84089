"""The engine of an API process: a client of the worker of its replica. Needs no torch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from service.arrays import Array, Arrays, SupportSet
from service.engine.base import NOBODY, ExportJob, Fits, Share
from service.engine.deadline import within
from service.ipc import messages
from service.ipc.link import WorkerLink


class WorkerClient:
    """An Engine that sends requests to a worker.

    Args:
        link: The connection to the worker.
        deadline_s: Maximum seconds of a request.
        export_s: Maximum seconds of an export to ONNX.
    """

    def __init__(self, link: WorkerLink, deadline_s: float, export_s: float) -> None:
        self.link, self._deadline_s, self._export_s = link, deadline_s, export_s

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
        """Adapt to a support set; the worker caches the state under `key`."""
        places = None if kept is None else list(kept)
        state: Arrays = await self._ask(
            model, lambda number: messages.Adapt(number, model, key, support, extends, places, share, rebuild)
        )
        return state

    async def predict(
        self, model: str, key: str, queries: Array, state: Arrays | None = None, *, share: Share = NOBODY
    ) -> Array:
        """Logits (q, ways) or values (q, outputs). Raises StateNotCached if there is no state, neither in the worker's
        cache under `key` nor in `state`."""
        answers: Array = await self._ask(
            model, lambda number: messages.Predict(number, model, key, queries, state, share)
        )
        return answers

    async def held_out(self, model: str, key: str, support: SupportSet, *, share: Share = NOBODY) -> Arrays:
        """The fold of each example, and its answer without having been learned."""
        found: Arrays = await self._ask(model, lambda number: messages.HoldOut(number, model, key, support, share))
        return found

    async def familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None = None, *, share: Share = NOBODY
    ) -> Array:
        """How familiar queries are to a support set. Raises StateNotCached if its features are not cached."""
        found: Array = await self._ask(
            model, lambda number: messages.Familiar(number, model, key, queries, support, share)
        )
        return found

    async def features(self, model: str, queries: Array, *, share: Share = NOBODY) -> Array:
        """Features (q, d) of queries."""
        found: Array = await self._ask(model, lambda number: messages.Encode(number, model, queries, share))
        return found

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
        """What the examples of a support set contribute to the answers to queries."""
        found: Arrays = await self._ask(
            model, lambda number: messages.Explain(number, model, key, queries, contrast, support, parts, share)
        )
        return found

    async def export(self, job: ExportJob, *, share: Share = NOBODY) -> bytes:
        """The ONNX file of a client's network."""
        file: bytes = await self._ask(job.model, lambda number: messages.Export(number, job, share), self._export_s)
        return file

    def evict(self, key: str) -> None:
        """Remove a state from the worker's cache."""
        self.link.send(messages.Evict(key))

    async def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        """The largest jobs that are accepted now. See `Engine.fits`."""
        fits: Fits = await self._ask(model, lambda number: messages.Fit(number, model, ways, examples, inputs))
        return fits

    def spent(self) -> dict[str, float]:
        """Seconds of the device that each tenant has used, as the worker told this process since the last call."""
        return self.link.spent()

    def alive(self) -> bool:
        """Whether the worker is connected and has warmed up."""
        return self.link.alive()

    async def _ask(self, model: str, message: Callable[[int], messages.Job], limit_s: float | None = None) -> Any:
        """The reply to a request about a model, within the deadline or another limit."""
        self.link.check_loaded(model)
        return await within(self._deadline_s if limit_s is None else limit_s, self.link.request(message))


@asynccontextmanager
async def worker_engine(
    socket: Path, models: Mapping[str, str], deadline_s: float, export_s: float
) -> AsyncIterator[WorkerClient]:
    """An engine that stays connected to the worker at `socket`. Arguments as for WorkerLink and WorkerClient."""
    link = WorkerLink(socket, models)
    connecting = asyncio.create_task(link.stay_connected())
    try:
        yield WorkerClient(link, deadline_s, export_s)
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
