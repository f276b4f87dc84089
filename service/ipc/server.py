"""The worker's end of the connections. Requests go to the queues of the worker; replies are sent back."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from service.arrays import Array, Arrays
from service.engine.base import StateNotCached
from service.engine.worker import Worker
from service.errors import HandfulError, Unavailable
from service.ipc import messages
from service.ipc.connection import Connection, listen
from service.logs import working_on

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""Seconds between two heartbeats."""


class WorkerServer:
    """Serves a worker to API processes. `models` maps the worker's models to the digests of their checkpoints."""

    def __init__(self, worker: Worker, models: Mapping[str, str]) -> None:
        self.worker, self.models = worker, dict(models)
        self.sessions: set[Session] = set()
        self._ready = False

    async def listen(self, path: Path) -> asyncio.Server:
        """Accept API processes on a Unix socket. Raises OSError, ValueError."""
        return await listen(path, lambda: Session(self).connection)

    def heartbeat(self) -> messages.Heartbeat:
        """The state of the worker now."""
        return messages.Heartbeat(self._ready and self.worker.alive())

    def set_ready(self) -> None:
        """Announce that the worker has warmed up."""
        self._ready = True
        self._send_heartbeat()

    async def send_heartbeats(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            self.worker.measure()
            self._send_heartbeat()
            self._send_spent()
            await asyncio.sleep(HEARTBEAT_S)

    def _send_heartbeat(self) -> None:
        for session in self.sessions:
            session.connection.send(self.heartbeat())

    def _send_spent(self) -> None:
        """Tell one API process what tenants have used, so that it is counted once."""
        session = next(iter(self.sessions), None)
        if session is not None and (spent := self.worker.spent()):
            session.connection.send(messages.Heartbeat(self.heartbeat().ready, spent))


class Session:
    """The connection of one API process. Requests that are still queued when it is lost are cancelled."""

    def __init__(self, server: WorkerServer) -> None:
        self._server, self._worker = server, server.worker
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self.connection = Connection(messages.ToWorker, self._received, connected=self._greet, lost=self._lost)

    def _greet(self) -> None:
        self._server.sessions.add(self)
        self.connection.send(messages.Hello(messages.VERSION, self._server.models))
        self.connection.send(self._server.heartbeat())

    def _lost(self) -> None:
        self._server.sessions.discard(self)
        for answer in list(self._pending.values()):
            answer.cancel()

    def _received(self, message: Any) -> None:
        with working_on(getattr(message, "context", None)):
            self._start(message)

    def _start(self, message: Any) -> None:
        match message:
            case messages.Adapt():
                with self._errors_to_reply(message.id):
                    self._adapt(message)
            case messages.Predict():
                with self._errors_to_reply(message.id):
                    self._predict(message)
            case messages.HoldOut():
                with self._errors_to_reply(message.id):
                    self._hold_out(message)
            case messages.Familiar():
                with self._errors_to_reply(message.id):
                    self._familiar(message)
            case messages.Encode():
                with self._errors_to_reply(message.id):
                    self._encode(message)
            case messages.Explain():
                with self._errors_to_reply(message.id):
                    self._explain(message)
            case messages.Export():
                with self._errors_to_reply(message.id):
                    self._export(message)
            case messages.Fit():
                with self._errors_to_reply(message.id):
                    self._fit(message)
            case messages.Evict():
                self._worker.evict(message.key)
            case messages.Cancel() if message.id in self._pending:
                self._pending[message.id].cancel()

    def _adapt(self, request: messages.Adapt) -> None:
        def reply(state: Arrays) -> messages.Message:
            return messages.Adapted(request.id, state)

        how = request.extends, request.kept, request.share, request.rebuild
        answer = self._worker.submit_adapt(request.model, request.key, request.support, *how)
        self._reply_when_done(request.id, answer, reply)

    def _predict(self, request: messages.Predict) -> None:
        if request.state is not None:
            self._worker.put(request.key, request.state)

        def reply(answers: Array) -> messages.Message:
            return messages.Answered(request.id, answers)

        answer = self._worker.submit_predict(request.model, request.key, request.queries, request.share)
        self._reply_when_done(request.id, answer, reply)

    def _hold_out(self, request: messages.HoldOut) -> None:
        def reply(found: Arrays) -> messages.Message:
            return messages.HeldOut(request.id, found)

        answer = self._worker.submit_held_out(request.model, request.key, request.support, request.share)
        self._reply_when_done(request.id, answer, reply)

    def _familiar(self, request: messages.Familiar) -> None:
        def reply(answers: Array) -> messages.Message:
            return messages.Answered(request.id, answers)

        how = request.queries, request.support, request.share
        self._reply_when_done(request.id, self._worker.submit_familiar(request.model, request.key, *how), reply)

    def _encode(self, request: messages.Encode) -> None:
        def reply(features: Array) -> messages.Message:
            return messages.Answered(request.id, features)

        answer = self._worker.submit_features(request.model, request.queries, request.share)
        self._reply_when_done(request.id, answer, reply)

    def _explain(self, request: messages.Explain) -> None:
        def reply(found: Arrays) -> messages.Message:
            return messages.HeldOut(request.id, found)

        asked = request.queries, request.contrast, request.support, request.parts, request.share
        self._reply_when_done(request.id, self._worker.submit_explain(request.model, request.key, *asked), reply)

    def _export(self, request: messages.Export) -> None:
        def reply(file: bytes) -> messages.Message:
            return messages.Exported(request.id, file)

        self._reply_when_done(request.id, self._worker.submit_export(request.job, request.share), reply)

    def _fit(self, request: messages.Fit) -> None:
        fits = self._worker.budget.fits(request.model, request.ways, request.examples, request.inputs)
        self.connection.send(messages.Fitting(request.id, fits))

    def _reply_when_done(
        self, request_id: int, answer: "asyncio.Future[Any]", reply: Callable[[Any], messages.Message]
    ) -> None:
        self._pending[request_id] = answer
        answer.add_done_callback(partial(self._reply, request_id, reply))

    def _reply(self, request_id: int, reply: Callable[[Any], messages.Message], answer: "asyncio.Future[Any]") -> None:
        del self._pending[request_id]
        if answer.cancelled():
            return
        with self._errors_to_reply(request_id):
            self.connection.send(reply(answer.result()))

    @contextmanager
    def _errors_to_reply(self, request_id: int) -> Iterator[None]:
        """Reply with the error that a request raises. Unexpected errors are only logged in detail."""
        try:
            yield
        except StateNotCached:
            self.connection.send(messages.NotCached(request_id))
        except HandfulError as error:
            self.connection.send(messages.Failed(request_id, error.code, error.detail))
        except Exception:
            log.exception("a job failed")
            self.connection.send(messages.Failed(request_id, Unavailable.code, "The device worker failed at this job."))
