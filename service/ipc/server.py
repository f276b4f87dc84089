"""The worker's end of the wire: what API processes ask for, handed to the lanes and answered."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from service.arrays import Array, Arrays
from service.engine.base import StateNotCached, SupportSet
from service.engine.worker import Worker
from service.errors import HandfulError, Unavailable
from service.ipc import messages
from service.ipc.connection import PARTNERS_LIMIT, Connection, listen

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0


class WorkerServer:
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
            session.link.send(messages.Heartbeat(self._ready and self.worker.alive()))

    async def send_heartbeats(self) -> None:
        """Until cancelled."""
        while True:
            self.worker.measure()
            self.beat()
            await asyncio.sleep(HEARTBEAT_S)


class Session:
    """One API process. Nothing is answered before it has proven that it knows the secret."""

    def __init__(self, listener: WorkerServer) -> None:
        self._listener, self._worker = listener, listener.worker
        self._nonce = messages.new_nonce()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.link = Connection(messages.ToWorker, self._received, connected=self._greet, lost=self._lost)

    def _greet(self) -> None:
        self.link.send(messages.Challenge(messages.VERSION, self._nonce))

    def _lost(self) -> None:
        self._listener.sessions.discard(self)
        for answer in list(self._waiting.values()):
            answer.cancel()

    def _received(self, message: Any) -> None:
        if isinstance(message, messages.Proof):
            self._admit(message)
        elif self not in self._listener.sessions:
            self.link.close()
        else:
            self._serve(message)

    def _admit(self, proof: messages.Proof) -> None:
        if not hmac.compare_digest(proof.mac, messages.mac(self._listener.secret, "api", self._nonce)):
            log.error("a process that does not know HANDFUL_WORKER_SECRET was turned away")
            self.link.close()
            return
        self.link.limit = PARTNERS_LIMIT
        self._listener.sessions.add(self)
        self.link.send(
            messages.Welcome(messages.mac(self._listener.secret, "worker", proof.nonce), self._listener.models)
        )
        self._listener.beat()

    def _serve(self, message: Any) -> None:
        match message:
            case messages.Adapt():
                with self._failures_of(message.id):
                    self._adapt(message)
            case messages.Predict():
                with self._failures_of(message.id):
                    self._predict(message)
            case messages.Evict():
                self._worker.evict(message.key)
            case messages.Cancel() if message.id in self._waiting:
                self._waiting[message.id].cancel()

    def _adapt(self, message: messages.Adapt) -> None:
        support = SupportSet(messages.unpack(message.inputs), messages.unpack(message.targets), message.ways)

        def adapted(state: Arrays) -> messages.Message:
            return messages.Adapted(message.id, messages.pack_all(state))

        self._await(message.id, self._worker.submit_adapt(message.model, message.key, support), adapted)

    def _predict(self, message: messages.Predict) -> None:
        if message.state is not None:
            self._worker.put(message.key, messages.unpack_all(message.state))

        def answered(answers: Array) -> messages.Message:
            return messages.Answered(message.id, messages.pack(answers))

        queries = messages.unpack(message.queries)
        self._await(message.id, self._worker.submit_predict(message.model, message.key, queries), answered)

    def _await(self, number: int, answer: "asyncio.Future[Any]", message: Callable[[Any], messages.Message]) -> None:
        self._waiting[number] = answer
        answer.add_done_callback(partial(self._reply, number, message))

    def _reply(self, number: int, message: Callable[[Any], messages.Message], answer: "asyncio.Future[Any]") -> None:
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
        except StateNotCached:
            self.link.send(messages.NotCached(number))
        except HandfulError as error:
            self.link.send(messages.Failed(number, error.code, error.detail))
        except Exception:
            log.exception("a job failed")
            self.link.send(messages.Failed(number, Unavailable.code, "The device worker failed at this job."))
