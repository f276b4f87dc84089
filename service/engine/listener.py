"""The worker's end of the wire: what API processes ask for, handed to the lanes and answered."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from service.arrays import Array, Arrays
from service.engine import wire
from service.engine.contract import StateNotHeld, SupportSet
from service.engine.link import PARTNERS_LIMIT, Link, listen
from service.engine.worker import Worker
from service.errors import HandfulError, Unavailable

log = logging.getLogger(__name__)

BEAT_S = 1.0


class Listener:
    """Serves a worker. `models` are its models with the digests of their checkpoints."""

    def __init__(self, worker: Worker, models: Mapping[str, str], secret: str) -> None:
        self.worker, self.models, self.secret = worker, dict(models), secret
        self.sessions: set[Session] = set()
        self._ready = False

    async def listen(self, url: str) -> asyncio.Server:
        """Accept API processes."""
        return await listen(url, lambda: Session(self).link)

    def set_ready(self) -> None:
        """Say that the worker has warmed up."""
        self._ready = True
        self.beat()

    def beat(self) -> None:
        """Tell every API process that the worker lives, and whether it works."""
        for session in self.sessions:
            session.link.send(wire.Beat(self._ready and self.worker.alive()))

    async def keep_beating(self) -> None:
        """Until cancelled."""
        while True:
            self.worker.measure()
            self.beat()
            await asyncio.sleep(BEAT_S)


class Session:
    """One API process. Nothing is answered before it has proven that it knows the secret."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._worker = listener, listener.worker
        self._nonce = wire.new_nonce()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.link = Link(wire.ToWorker, self._received, connected=self._greet, lost=self._lost)

    def _greet(self) -> None:
        self.link.send(wire.Challenge(wire.VERSION, self._nonce))

    def _lost(self) -> None:
        self._listener.sessions.discard(self)
        for answer in list(self._waiting.values()):
            answer.cancel()

    def _received(self, message: Any) -> None:
        if isinstance(message, wire.Proof):
            self._admit(message)
        elif self not in self._listener.sessions:
            self.link.close()
        else:
            self._serve(message)

    def _admit(self, proof: wire.Proof) -> None:
        if not hmac.compare_digest(proof.mac, wire.mac(self._listener.secret, "api", self._nonce)):
            log.error("a process that does not know HANDFUL_WORKER_SECRET was turned away")
            self.link.close()
            return
        self.link.limit = PARTNERS_LIMIT
        self._listener.sessions.add(self)
        self.link.send(wire.Welcome(wire.mac(self._listener.secret, "worker", proof.nonce), self._listener.models))
        self._listener.beat()

    def _serve(self, message: Any) -> None:
        match message:
            case wire.Adapt():
                with self._failures_of(message.id):
                    self._adapt(message)
            case wire.Predict():
                with self._failures_of(message.id):
                    self._predict(message)
            case wire.Drop():
                self._worker.drop(message.key)
            case wire.Cancel() if message.id in self._waiting:
                self._waiting[message.id].cancel()

    def _adapt(self, message: wire.Adapt) -> None:
        support = SupportSet(wire.unpack(message.inputs), wire.unpack(message.targets), message.ways)

        def adapted(state: Arrays) -> wire.Message:
            return wire.Adapted(message.id, wire.pack_all(state))

        self._await(message.id, self._worker.submit_adapt(message.model, message.key, support), adapted)

    def _predict(self, message: wire.Predict) -> None:
        if message.state is not None:
            self._worker.hold(message.key, wire.unpack_all(message.state))

        def answered(answers: Array) -> wire.Message:
            return wire.Answered(message.id, wire.pack(answers))

        queries = wire.unpack(message.queries)
        self._await(message.id, self._worker.submit_predict(message.model, message.key, queries), answered)

    def _await(self, number: int, answer: "asyncio.Future[Any]", message: Callable[[Any], wire.Message]) -> None:
        self._waiting[number] = answer
        answer.add_done_callback(partial(self._reply, number, message))

    def _reply(self, number: int, message: Callable[[Any], wire.Message], answer: "asyncio.Future[Any]") -> None:
        del self._waiting[number]
        if answer.cancelled():
            return
        with self._failures_of(number):
            self.link.send(message(answer.result()))

    @contextmanager
    def _failures_of(self, number: int) -> Iterator[None]:
        """What goes wrong with a message is its answer; the details of what should not are for the log alone."""
        try:
            yield
        except StateNotHeld:
            self.link.send(wire.NotHeld(number))
        except HandfulError as error:
            self.link.send(wire.Failed(number, error.code, error.detail))
        except Exception:
            log.exception("a job failed")
            self.link.send(wire.Failed(number, Unavailable.code, "The device worker failed at this job."))
