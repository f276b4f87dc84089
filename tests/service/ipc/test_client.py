"""API processes and their worker over real sockets."""

import asyncio
import logging

import numpy as np
import pytest

from service.arrays import SupportSet
from service.engine.base import StateNotCached
from service.errors import DeadlineExceeded, Diverged, Unavailable
from service.ipc.server import WorkerServer
from service.logs import RequestContext, current, working_on
from tests.service.ipc.workers import Blocked, connected, images, listening, support

pytestmark = pytest.mark.anyio


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


async def test_a_request_names_the_state_that_it_extends(socket, worker, digests):
    blocked = Blocked(worker)
    async with listening(socket, blocked, digests), connected(socket, digests) as engine:
        waiting = asyncio.create_task(engine.adapt("glyphs", "alice/2", support(), extends="alice/1"))
        await blocked.started.wait()
        waiting.cancel()
        assert blocked.extends == ["alice/1"]


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
