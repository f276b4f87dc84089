"""The worker's end of the connections. Requests go to the queues of the worker; replies are sent back."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from service.engine.base import StateNotCached
from service.engine.worker import Worker
from service.errors import HandfulError, Unavailable
from service.ipc import messages
from service.ipc.connection import Connection, listen
from service.logs import working_on

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""Seconds between two heartbeats."""

Reply = Callable[[int, Any], messages.Message]
"""Makes the message that answers the request of an id."""


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
            case messages.Evict():
                self._worker.evict(message.key)
            case messages.Cancel():
                if answer := self._pending.get(message.id):
                    answer.cancel()
            case messages.Fit():
                with self._errors_to_reply(message.id):
                    self._fit(message)
            case _:
                with self._errors_to_reply(message.id):
                    answer, reply = self._submitted(message)
                    self._pending[message.id] = answer
                    answer.add_done_callback(partial(self._reply, message.id, reply))

    def _fit(self, request: messages.Fit) -> None:
        fits = self._worker.budget.fits(request.model, request.ways, request.examples, request.inputs)
        self.connection.send(messages.Fitting(request.id, fits))

    def _submitted(self, request: messages.Queued) -> "tuple[asyncio.Future[Any], Reply]":
        """The future answer to a request, and the message that it is sent in."""
        worker, share = self._worker, request.share
        answer: asyncio.Future[Any]
        reply: Reply
        match request:
            case messages.Adapt(model=model, key=key, support=support):
                how = request.extends, request.kept, share, request.rebuild
                answer, reply = worker.submit_adapt(model, key, support, *how), messages.Adapted
            case messages.Predict(model=model, key=key, queries=queries):
                if request.state is not None:
                    worker.put(key, request.state)
                answer, reply = worker.submit_predict(model, key, queries, share), messages.Answered
            case messages.HoldOut(model=model, key=key, support=support):
                answer, reply = worker.submit_held_out(model, key, support, share), messages.HeldOut
            case messages.Familiar(model=model, key=key, queries=queries):
                answer, reply = worker.submit_familiar(model, key, queries, request.support, share), messages.Answered
            case messages.Encode(model=model, queries=queries):
                answer, reply = worker.submit_features(model, queries, share), messages.Answered
            case messages.Explain(model=model, key=key, queries=queries):
                asked = request.contrast, request.support, request.parts
                answer, reply = worker.submit_explain(model, key, queries, *asked, share), messages.HeldOut
            case messages.Export(job=job):
                answer, reply = worker.submit_export(job, share), messages.Exported
        return answer, reply

    def _reply(self, request_id: int, reply: Reply, answer: "asyncio.Future[Any]") -> None:
        del self._pending[request_id]
        if answer.cancelled():
            return
        with self._errors_to_reply(request_id):
            self.connection.send(reply(request_id, answer.result()))

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
