"""What becomes of requests whose worker restarts, is lost, or is not the right one."""

import asyncio

import pytest

from service.errors import DeadlineExceeded, Unavailable
from service.ipc import link, messages, presence
from service.ipc.client import worker_engine
from service.ipc.link import WorkerLink
from tests.service.ipc.workers import Blocked, connected, listening, support, until

pytestmark = pytest.mark.anyio


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


async def test_a_worker_with_other_checkpoints_is_refused(socket, worker, digests, caplog):
    other = dict(digests) | {"glyphs": "another"}
    async with listening(socket, worker, other), worker_engine(socket, digests, 30, 30) as engine:
        await until(lambda: "has other models or checkpoints than this process" in caplog.text)
        assert not engine.alive()


async def test_a_worker_of_another_protocol_version_is_refused(socket, digests, caplog):
    engine = WorkerLink(socket, digests)
    engine._received(messages.Hello(messages.VERSION - 1, dict(digests)))
    engine._received(messages.Heartbeat(True))
    assert f"speaks version {messages.VERSION - 1} of the protocol" in caplog.text
    assert not engine.alive()


async def test_a_worker_that_misses_its_heartbeat_is_lost(socket, worker, digests, monkeypatch):
    monkeypatch.setattr(link, "HEARTBEAT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(presence, "RESTART_S", 0)
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests), connected(socket, digests) as engine:  # no task sends heartbeats
        with pytest.raises(Unavailable):
            await engine.adapt("glyphs", "alice", support())
