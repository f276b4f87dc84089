"""The engine of an API process: a client of the worker of its replica. Needs no torch."""

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from service.arrays import Array, Arrays, SupportSet
from service.engine.base import NOBODY, ExportJob, Fits, Share, StateNotCached
from service.engine.deadline import within
from service.errors import Unavailable
from service.ipc import messages
from service.ipc.connection import Connection, connect
from service.ipc.presence import Presence
from service.logs import current

log = logging.getLogger(__name__)

RECONNECT_S = 0.2
"""Seconds between two attempts to connect."""
REFUSED_S = 5.0
"""Seconds before connecting again to a worker that was refused."""
HEARTBEAT_TIMEOUT_S = 10.0
"""Heartbeat timeout."""


class WorkerLost(Unavailable):
    """The connection broke before the reply came. Whether the work was done is unknown."""


class WorkerClient:
    """An Engine that sends requests to a worker over a Unix socket. It reconnects when the connection breaks.

    If the worker is lost, its requests and new ones wait for the next worker. A request that was sent is sent once
    more. This is safe: an adapt or a predict stores nothing.

    Args:
        socket: The socket of the worker.
        models: The served models, with the digests of their checkpoints. The worker may lack models that it could not
            load.
        deadline_s: Maximum seconds of a request.
        export_s: Maximum seconds of an export to ONNX.
    """

    def __init__(self, socket: Path, models: Mapping[str, str], deadline_s: float, export_s: float) -> None:
        self.socket, self._models = socket, dict(models)
        self._deadline_s, self._export_s = deadline_s, export_s
        self._ids = itertools.count()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._connection = self._new_connection()
        self._worker, self._broken = Presence(), asyncio.Event()
        self._accepted = self._refused = False
        self._loaded: Collection[str] = models.keys()
        self._last_heard = 0.0
        self._spent: defaultdict[str, float] = defaultdict(float)

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
        self._check_loaded(model)
        places = None if kept is None else list(kept)
        state: Arrays = await self._request(
            lambda number: messages.Adapt(number, model, key, support, extends, places, share, rebuild)
        )
        return state

    async def predict(
        self, model: str, key: str, queries: Array, state: Arrays | None = None, *, share: Share = NOBODY
    ) -> Array:
        """Logits (q, ways) or values (q, outputs). Raises StateNotCached if there is no state, neither in the worker's
        cache under `key` nor in `state`."""
        self._check_loaded(model)
        answers: Array = await self._request(lambda number: messages.Predict(number, model, key, queries, state, share))
        return answers

    async def held_out(self, model: str, key: str, support: SupportSet, *, share: Share = NOBODY) -> Arrays:
        """The fold of each example, and its answer without having been learned."""
        self._check_loaded(model)
        found: Arrays = await self._request(lambda number: messages.HoldOut(number, model, key, support, share))
        return found

    async def familiar(
        self, model: str, key: str, queries: Array, support: SupportSet | None = None, *, share: Share = NOBODY
    ) -> Array:
        """How familiar queries are to a support set. Raises StateNotCached if its features are not cached."""
        self._check_loaded(model)
        found: Array = await self._request(
            lambda number: messages.Familiar(number, model, key, queries, support, share)
        )
        return found

    async def features(self, model: str, queries: Array, *, share: Share = NOBODY) -> Array:
        """Features (q, d) of queries."""
        self._check_loaded(model)
        found: Array = await self._request(lambda number: messages.Encode(number, model, queries, share))
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
        self._check_loaded(model)
        found: Arrays = await self._request(
            lambda number: messages.Explain(number, model, key, queries, contrast, support, parts, share)
        )
        return found

    async def export(self, job: ExportJob, *, share: Share = NOBODY) -> bytes:
        """The ONNX file of a client's network."""
        self._check_loaded(job.model)
        file: bytes = await self._request(lambda number: messages.Export(number, job, share), self._export_s)
        return file

    def evict(self, key: str) -> None:
        """Remove a state from the worker's cache."""
        self._send(messages.Evict(key))

    async def fits(self, model: str, ways: int, examples: int, inputs: int) -> Fits:
        """The largest jobs that are accepted now. See `Engine.fits`."""
        self._check_loaded(model)
        fits: Fits = await self._request(lambda number: messages.Fit(number, model, ways, examples, inputs))
        return fits

    def spent(self) -> dict[str, float]:
        """Seconds of the device that each tenant has used, as the worker told this process since the last call."""
        spent, self._spent = self._spent, defaultdict(float)
        return dict(spent)

    def alive(self) -> bool:
        """Whether the worker is connected and has warmed up."""
        return self._worker.ready()

    async def stay_connected(self) -> None:
        """Connect, and reconnect when the connection breaks, until cancelled."""
        while True:
            self._broken.clear()
            self._accepted = self._refused = False
            self._connection = self._new_connection()
            with suppress(OSError), closing(self._connection):  # the worker is still starting
                await connect(self.socket, self._connection)
                await self._until_broken()
            await asyncio.sleep(REFUSED_S if self._refused else RECONNECT_S)

    def _check_loaded(self, model: str) -> None:
        if model not in self._loaded:
            raise Unavailable(f"The device worker could not load {model}; its log says why. Other models are served.")

    def _new_connection(self) -> Connection:
        return Connection(messages.ToApi, self._received, lost=self._lost)

    async def _until_broken(self) -> None:
        """Wait for the end of the connection; abort it when a heartbeat is missed."""
        clock = asyncio.get_running_loop().time
        self._last_heard = clock()
        while not self._broken.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_TIMEOUT_S / 2):
                    await self._broken.wait()
            if clock() - self._last_heard > HEARTBEAT_TIMEOUT_S:
                self._connection.abort()

    async def _request(self, message: Callable[[int], messages.Job], limit_s: float | None = None) -> Any:
        return await within(self._deadline_s if limit_s is None else limit_s, self._reply_or_retry(message))

    async def _reply_or_retry(self, message: Callable[[int], messages.Job]) -> Any:
        await self._worker.until_ready()
        try:
            return await self._reply(message)
        except WorkerLost:
            await self._worker.until_ready()
            return await self._reply(message)

    async def _reply(self, message: Callable[[int], messages.Job]) -> Any:
        """Send a request and wait for its reply. Raises WorkerLost and the errors that the worker reports."""
        number = next(self._ids)
        reply = self._pending[number] = asyncio.get_running_loop().create_future()
        job = message(number)
        job.context = current()
        self._connection.send(job)
        try:
            return await reply
        finally:
            if self._pending.pop(number, None):
                self._send(messages.Cancel(number))

    def _send(self, message: messages.Message) -> None:
        if self.alive():
            self._connection.send(message)

    def _lost(self) -> None:
        self._worker.set(ready=False)
        for reply in self._pending.values():
            if not reply.done():
                reply.set_exception(WorkerLost("The device worker was lost."))
        self._pending.clear()
        self._broken.set()

    def _received(self, message: Any) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        match message:
            case messages.Hello():
                self._check(message)
            case messages.Heartbeat():
                for tenant, seconds in message.spent.items():
                    self._spent[tenant] += seconds
                self._worker.set(ready=self._accepted and message.ready)
            case messages.Adapted():
                self._settle(message.id, message.state)
            case messages.Answered():
                self._settle(message.id, message.answers)
            case messages.HeldOut():
                self._settle(message.id, message.found)
            case messages.Exported():
                self._settle(message.id, message.file)
            case messages.Fitting():
                self._settle(message.id, message.fits)
            case messages.NotCached():
                self._settle(message.id, StateNotCached())
            case messages.Failed():
                self._settle(message.id, messages.ERRORS.get(message.code, Unavailable)(message.detail))

    def _check(self, hello: messages.Hello) -> None:
        """Accept the worker, or refuse one of another version or with other models."""
        if hello.version != messages.VERSION:
            self._refuse(f"speaks version {hello.version} of the protocol; this process speaks {messages.VERSION}")
        elif not hello.models or not hello.models.items() <= self._models.items():
            self._refuse("has other models or checkpoints than this process")
        else:
            self._accepted, self._loaded = True, hello.models.keys()

    def _refuse(self, reason: str) -> None:
        log.error("refusing the worker at %s: it %s", self.socket, reason)
        self._refused = True
        self._connection.close()

    def _settle(self, number: int, outcome: Any) -> None:
        reply = self._pending.pop(number, None)
        if reply is None or reply.done():
            return
        if isinstance(outcome, Exception):
            reply.set_exception(outcome)
        else:
            reply.set_result(outcome)


@asynccontextmanager
async def worker_engine(
    socket: Path, models: Mapping[str, str], deadline_s: float, export_s: float
) -> AsyncIterator[WorkerClient]:
    """An engine that stays connected to the worker at `socket`. Arguments as for WorkerClient."""
    client = WorkerClient(socket, models, deadline_s, export_s)
    connecting = asyncio.create_task(client.stay_connected())
    try:
        yield client
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
