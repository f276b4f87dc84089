"""The connection of an API process to the worker of its replica: requests and their replies, over reconnects."""

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from service.engine.base import StateNotCached
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


class WorkerLink:
    """Sends requests to a worker over a Unix socket. It reconnects when the connection breaks.

    If the worker is lost, its requests and new ones wait for the next worker. A request that was sent is sent once
    more. This is safe: an adapt or a predict stores nothing.

    Args:
        socket: The socket of the worker.
        models: The served models, with the digests of their checkpoints. The worker may lack models that it could not
            load.
    """

    def __init__(self, socket: Path, models: Mapping[str, str]) -> None:
        self.socket, self._models = socket, dict(models)
        self._ids = itertools.count()
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._connection = self._new_connection()
        self._worker, self._broken = Presence(), asyncio.Event()
        self._accepted = self._refused = False
        self._loaded: Collection[str] = models.keys()
        self._last_heard = 0.0
        self._spent: defaultdict[str, float] = defaultdict(float)

    def alive(self) -> bool:
        """Whether the worker is connected and has warmed up."""
        return self._worker.ready()

    def spent(self) -> dict[str, float]:
        """Seconds of the device that each tenant has used, as the worker told this process since the last call."""
        spent, self._spent = self._spent, defaultdict(float)
        return dict(spent)

    def check_loaded(self, model: str) -> None:
        """Raise Unavailable for a model that the worker has not."""
        if model not in self._loaded:
            raise Unavailable(f"The device worker could not load {model}; its log says why. Other models are served.")

    async def request(self, message: Callable[[int], messages.Job]) -> Any:
        """Send the request that `message` makes with its number, and wait for the reply; after a loss, once more.

        Raises the errors that the worker reports, and Unavailable.
        """
        await self._worker.until_ready()
        try:
            return await self._reply(message)
        except WorkerLost:
            await self._worker.until_ready()
            return await self._reply(message)

    def send(self, message: messages.Message) -> None:
        """Send a message that has no reply, if the worker is there."""
        if self.alive():
            self._connection.send(message)

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
                self.send(messages.Cancel(number))

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
