"""One device worker, seen from an API process. Needs no torch."""

import asyncio
import hmac
import itertools
import logging
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

from service.engine.base import StateNotCached
from service.errors import Unavailable
from service.ipc import messages
from service.ipc.connection import PARTNERS_LIMIT, Connection, connect

log = logging.getLogger(__name__)

RETRY_S = 0.2
"""Between two attempts to connect."""
REFUSED_S = 5.0
"""Before a worker that is not used is looked at again."""
HEARTBEAT_TIMEOUT_S = 10.0
"""Without a word for so long, a worker is taken for stuck."""


class WorkerLost(Unavailable):
    """The connection broke before the answer came: whether the work was done is not known."""


class WorkerClient:
    """A connection that is made again whenever it breaks. The worker must have `models`, by digest of checkpoint."""

    def __init__(self, url: str, secret: str, models: Mapping[str, str]) -> None:
        self.url, self._secret, self._models = url, secret, dict(models)
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._nonce = b""
        self._link = Connection(messages.ToApi, self._received, lost=self._lost)
        self._broken = asyncio.Event()
        self._admitted = self._proving = False
        self._heard = 0.0
        self.ready = False
        """Whether the worker works and has warmed up."""

    @property
    def depth(self) -> int:
        """How many jobs of this process wait for the worker."""
        return len(self._waiting)

    async def stay_connected(self) -> None:
        """Until cancelled."""
        while True:
            self._broken.clear()
            self._link = Connection(messages.ToApi, self._received, lost=self._lost)
            with suppress(OSError), closing(self._link):  # it is not there yet, or not again
                await connect(self.url, self._link)
                await self._until_broken()
            await asyncio.sleep(REFUSED_S if self._turned_away() else RETRY_S)

    def _turned_away(self) -> bool:
        """Whether the worker hung up on what was to prove that this process knows the secret."""
        if self._proving:
            log.error(
                "the worker at %s hung up when it was greeted: is HANDFUL_WORKER_SECRET the same there?", self.url
            )
        turned_away, self._proving = self._proving, False
        return turned_away

    async def _until_broken(self) -> None:
        """Returns when the connection is gone. One that says nothing is broken off: its worker is stuck."""
        clock = asyncio.get_running_loop().time
        self._heard = clock()
        while not self._broken.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_TIMEOUT_S / 2):
                    await self._broken.wait()
            if clock() - self._heard > HEARTBEAT_TIMEOUT_S:
                self._link.abort()

    def tell(self, message: messages.Message) -> None:
        """Send what has no answer."""
        if self.ready:
            self._link.send(message)

    async def ask(self, message_of: Callable[[int], messages.Message]) -> Any:
        """The answer to the message that is made with a number. Raises WorkerLost, and what the worker raises."""
        if not self.ready:
            raise WorkerLost("The device worker is not there.")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._link.send(message_of(number))
        try:
            return await answer
        finally:
            if self._waiting.pop(number, None):  # nobody waits any more
                self.tell(messages.Cancel(number))

    def _lost(self) -> None:
        self._admitted = self.ready = False
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(WorkerLost("The device worker died, or the connection to it broke."))
        self._waiting.clear()
        self._broken.set()

    def _received(self, message: Any) -> None:
        self._heard = asyncio.get_running_loop().time()
        match message:
            case messages.Challenge():
                self._prove(message)
            case messages.Welcome():
                self._admit(message)
            case messages.Heartbeat():
                self.ready = self._admitted and message.ready
            case messages.Adapted():
                self._settle(message.id, message.state)
            case messages.Answered():
                self._settle(message.id, message.answers)
            case messages.NotCached():
                self._settle(message.id, StateNotCached())
            case messages.Failed():
                self._settle(message.id, messages.ERRORS.get(message.code, Unavailable)(message.detail))

    def _prove(self, challenge: messages.Challenge) -> None:
        if challenge.version != messages.VERSION:
            self._refuse(f"speaks version {challenge.version} of the protocol, and this process {messages.VERSION}")
            return
        self._nonce, self._proving = messages.new_nonce(), True
        self._link.send(messages.Proof(self._nonce, messages.mac(self._secret, "api", challenge.nonce)))

    def _admit(self, welcome: messages.Welcome) -> None:
        self._proving = False
        if not hmac.compare_digest(welcome.mac, messages.mac(self._secret, "worker", self._nonce)):
            self._refuse("does not know HANDFUL_WORKER_SECRET")
        elif welcome.models != self._models:
            self._refuse("has other models or checkpoints than this process")
        else:
            self._link.limit = PARTNERS_LIMIT
            self._admitted = True

    def _refuse(self, why: str) -> None:
        log.error("the worker at %s %s, and is not used", self.url, why)
        asyncio.get_running_loop().call_later(REFUSED_S, self._link.close)

    def _settle(self, number: int, outcome: Any) -> None:
        answer = self._waiting.pop(number, None)
        if answer is None or answer.done():
            return
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
