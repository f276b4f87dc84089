"""API processes and their worker over real sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.arrays import SupportSet
from service.cards import Catalogue
from service.engine.base import StateNotCached
from service.engine.worker import Worker
from service.errors import DeadlineExceeded, Diverged, Unavailable
from service.ipc import client, messages, presence
from service.ipc.client import WorkerClient, worker_engine
from service.ipc.server import WorkerServer
from service.logs import RequestContext, current, working_on

pytestmark = pytest.mark.anyio


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)


def support(seed: int = 0) -> SupportSet:
    return SupportSet(images(4, seed), np.arange(4) % 2, 2)


@pytest.fixture(scope="module")
def digests(zoo) -> Mapping[str, str]:
    return {name: card.checkpoint for name, card in Catalogue(zoo).items()}


@pytest.fixture
def socket(tmp_path) -> Path:
    return tmp_path / "run" / "worker"


class Listening:
    """A worker server that can be cut off."""

    def __init__(self, worker: Any, models: Mapping[str, str]) -> None:
        self.server = WorkerServer(worker, models)
        self._listening: asyncio.Server | None = None

    async def start(self, socket: Path) -> None:
        self._listening = await self.server.listen(socket)
        self.server.set_ready()

    def break_connections(self) -> None:
        for session in list(self.server.sessions):
            session.connection.abort()

    def cut(self) -> None:
        """Stop listening, and break every connection."""
        self._listening.close()
        self.break_connections()


@asynccontextmanager
async def listening(socket: Path, worker: Any, models: Mapping[str, str]) -> AsyncIterator[Listening]:
    one = Listening(worker, models)
    await one.start(socket)
    yield one
    one.cut()


async def until(true) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(socket: Path, models: Mapping[str, str], deadline_s: float = 30) -> AsyncIterator[WorkerClient]:
    async with worker_engine(socket, models, deadline_s, deadline_s) as engine:
        await until(engine.alive)
        yield engine


@pytest.mark.parametrize("name", ["glyphs", "glyphs-maml"])
async def test_answers_equal_those_of_the_worker(socket, worker, digests, name):
    async with listening(socket, worker, digests), connected(socket, digests) as engine:
        state = await engine.adapt(name, "alice", support())
        expected = await worker.adapt(name, "alice", support())
        assert {key: value.tolist() for key, value in state.items()} == {k: v.tolist() for k, v in expected.items()}
        answers = await engine.predict(name, "client/1", images(3, 1), state)
        assert np.array_equal(answers, await worker.predict(name, "direct/1", images(3, 1), expected))
        assert np.array_equal(answers, await engine.predict(name, "client/1", images(3, 1)))


async def test_an_adapted_state_is_cached_until_it_is_evicted(socket, worker, digests):
    async with listening(socket, worker, digests), connected(socket, digests) as engine:
        with pytest.raises(StateNotCached):
            await engine.predict("glyphs", "alice/1", images(1, 0))
        await engine.adapt("glyphs", "alice/1", support())
        await engine.predict("glyphs", "alice/1", images(1, 0))
        engine.evict("alice/1")
        with pytest.raises(StateNotCached):
            await engine.predict("glyphs", "alice/1", images(1, 0))


async def test_examples_are_left_out_and_compared_over_the_socket(socket, worker, digests):
    async with listening(socket, worker, digests), connected(socket, digests) as engine:
        taught = SupportSet(images(4, 0), np.array([0, 0, 1, 1]), 2)
        found = await engine.held_out("glyphs", "nobody", taught)
        assert found["fold"].tolist() == [0, 1, 2, 3]
        assert found["answers"].shape == (4, 2)
        with pytest.raises(StateNotCached):
            await engine.familiar("glyphs", "nobody", images(1, 1))
        assert (await engine.familiar("glyphs", "nobody", images(1, 1), taught)).shape == (1,)


@pytest.mark.parametrize("name", ["glyphs", "glyphs-maml"])
async def test_features_come_over_the_socket(socket, worker, digests, name):
    async with listening(socket, worker, digests), connected(socket, digests) as engine:
        found = await engine.features(name, images(3, 1))
        assert np.array_equal(found, await worker.features(name, images(3, 1)))
        assert found.shape == (3, found.size // 3)
        assert found.dtype == np.float32


async def test_answers_are_explained_over_the_socket(socket, worker, digests):
    async with listening(socket, worker, digests), connected(socket, digests) as engine:
        contrast = np.array([[1, -1]], np.float32)
        for model, exact in (("glyphs", True), ("glyphs-maml", False)):
            found = await engine.explain(model, "nobody", images(1, 1), contrast, support())
            assert found["weights"].shape == (1, 4)
            assert found["exact"].tolist() == [exact]


async def test_a_job_that_fails_says_why_and_fails_alone(socket, worker, digests):
    wave = SupportSet(np.full((3, 1), 1e18, np.float32), np.full((3, 1), 1e18, np.float32), 0)
    async with listening(socket, worker, digests), connected(socket, digests) as engine:
        bad = engine.adapt("sinusoid", "alice", wave)
        outcomes = await asyncio.gather(bad, engine.adapt("glyphs", "alice", support()), return_exceptions=True)
        assert isinstance(outcomes[0], Diverged)
        assert "prototypes" in outcomes[1]
        with pytest.raises(Unavailable, match="failed at this job"):
            await engine.adapt("glyphs", "alice", SupportSet(np.ones((2, 3), np.float32), np.arange(2), 2))
        await engine.adapt("glyphs", "alice", support())


async def test_a_model_that_the_worker_could_not_load_is_unavailable_and_the_others_are_served(socket, worker, digests):
    expected = {**digests, "lost": "0" * 16}
    async with listening(socket, worker, digests), connected(socket, expected) as engine:
        with pytest.raises(Unavailable, match="could not load lost"):
            await engine.adapt("lost", "alice", support())
        await engine.adapt("glyphs", "alice", support())


async def test_a_client_reconnects_to_a_restarted_worker(socket, worker, digests):
    async with listening(socket, worker, digests) as first, connected(socket, digests) as engine:
        first.cut()
        await until(lambda: not engine.alive())
        async with listening(socket, worker, digests):
            await until(engine.alive)
            await engine.adapt("glyphs", "alice", support())


async def test_requests_that_arrive_while_the_worker_restarts_wait_for_it(socket, worker, digests):
    async with listening(socket, worker, digests) as first, connected(socket, digests) as engine:
        first.cut()
        await until(lambda: not engine.alive())
        adapts = [asyncio.create_task(engine.adapt("glyphs", f"client-{i}", support())) for i in range(3)]
        async with listening(socket, worker, digests):
            assert all("prototypes" in state for state in await asyncio.gather(*adapts))


async def test_a_request_waits_for_a_lost_worker_until_its_deadline(socket, worker, digests):
    async with listening(socket, worker, digests) as first, connected(socket, digests, deadline_s=0.05) as engine:
        first.cut()
        await until(lambda: not engine.alive())
        with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
            await engine.adapt("glyphs", "alice", support())


async def test_requests_do_not_wait_for_a_worker_that_was_never_ready(socket, digests):
    async with worker_engine(socket, digests, 30, 30) as engine:
        with pytest.raises(Unavailable, match="not ready"):
            await engine.adapt("glyphs", "alice", support())


class Blocked:
    """A worker with endless adapts."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self.started, self.cancelled = worker, asyncio.Event(), asyncio.Event()
        self.extends: list[str | None] = []

    def __getattr__(self, name: str):
        return getattr(self._worker, name)

    def submit_adapt(self, model: str, key: str, support: SupportSet, extends: str | None, *_: Any) -> asyncio.Future:
        self.extends.append(extends)
        self.started.set()
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda one: self.cancelled.set() if one.cancelled() else None)
        return future


async def test_a_request_names_the_state_that_it_extends(socket, worker, digests):
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests), connected(socket, digests) as engine:
        waiting = asyncio.create_task(engine.adapt("glyphs", "alice/2", support(), extends="alice/1"))
        await blocked.started.wait()
        waiting.cancel()
        assert blocked.extends == ["alice/1"]


async def test_the_restarted_worker_answers_the_requests_of_a_lost_worker(socket, worker, digests):
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests) as dying, connected(socket, digests) as engine:
        waiting = asyncio.create_task(engine.adapt("glyphs", "alice", support()))
        await blocked.started.wait()
        dying.cut()
        async with listening(socket, worker, digests):
            assert "prototypes" in await waiting


async def test_a_request_fails_if_its_lost_worker_does_not_come_back(socket, worker, digests, monkeypatch):
    monkeypatch.setattr(presence, "RESTART_S", 0.05)
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests) as dying, connected(socket, digests) as engine:
        waiting = asyncio.create_task(engine.adapt("glyphs", "alice", support()))
        await blocked.started.wait()
        dying.cut()
        with pytest.raises(Unavailable, match="not ready"):
            await waiting


async def test_a_request_is_sent_again_once_only(socket, worker, digests):
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests) as dying, connected(socket, digests) as engine:
        waiting = asyncio.create_task(engine.adapt("glyphs", "alice", support()))
        for _ in range(2):
            await blocked.started.wait()
            blocked.started.clear()
            dying.break_connections()
        with pytest.raises(Unavailable, match="was lost"):
            await waiting
        assert len(blocked.extends) == 2


async def test_a_request_without_a_waiting_caller_is_cancelled(socket, worker, digests):
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests), connected(socket, digests) as engine:
        waiting = asyncio.create_task(engine.adapt("glyphs", "alice", support()))
        await blocked.started.wait()
        waiting.cancel()
        await asyncio.wait_for(blocked.cancelled.wait(), 30)


async def test_a_request_that_exceeds_its_deadline_is_cancelled(socket, worker, digests):
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests), connected(socket, digests, deadline_s=0.05) as engine:
        with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
            await engine.adapt("glyphs", "alice", support())
        await asyncio.wait_for(blocked.cancelled.wait(), 30)


async def test_a_worker_with_other_checkpoints_is_refused(socket, worker, digests, caplog):
    other = dict(digests) | {"glyphs": "another"}
    async with listening(socket, worker, other), worker_engine(socket, digests, 30, 30) as engine:
        await until(lambda: "has other models or checkpoints than this process" in caplog.text)
        assert not engine.alive()


async def test_a_worker_of_another_protocol_version_is_refused(socket, digests, caplog):
    engine = WorkerClient(socket, digests, 30, 30)
    engine._received(messages.Hello(messages.VERSION - 1, dict(digests)))
    engine._received(messages.Heartbeat(True))
    assert f"speaks version {messages.VERSION - 1} of the protocol" in caplog.text
    assert not engine.alive()


async def test_a_worker_that_misses_its_heartbeat_is_lost(socket, worker, digests, monkeypatch):
    monkeypatch.setattr(client, "HEARTBEAT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(presence, "RESTART_S", 0)
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests), connected(socket, digests) as engine:  # no task sends heartbeats
        with pytest.raises(Unavailable):
            await engine.adapt("glyphs", "alice", support())


async def test_only_this_user_can_reach_the_socket(socket, worker, digests):
    async with listening(socket, worker, digests):
        assert [oct(path.stat().st_mode & 0o777) for path in (socket, socket.parent)] == ["0o600", "0o700"]


async def test_a_socket_in_a_folder_of_another_user_is_refused(socket, worker, digests, monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(ValueError, match="belongs to user"):
        await WorkerServer(worker, digests).listen(socket)


async def test_the_log_of_the_worker_names_the_request(socket, worker, digests, monkeypatch):
    """A job that fails in the worker is logged there with the id and the trace of the request that sent it."""
    seen = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), current()))

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(worker, "submit_adapt", fail)
    handler = Noting()
    logging.getLogger("service.ipc.server").addHandler(handler)
    request = RequestContext("r1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    try:
        async with listening(socket, worker, digests), connected(socket, digests) as engine:
            with working_on(request), pytest.raises(Unavailable):
                await engine.adapt("glyphs", "k", support())
    finally:
        logging.getLogger("service.ipc.server").removeHandler(handler)
    assert seen == [("a job failed", request)]
