"""API processes and workers over real sockets: the answers of the worker, whatever happens to the connections."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np
import pytest

from service.cards import Catalogue
from service.engine.base import StateNotCached, SupportSet
from service.engine.worker import Worker
from service.errors import DeadlineExceeded, Diverged, Unavailable
from service.ipc import client, messages
from service.ipc.connection import Connection, listen
from service.ipc.pool import Pool, pool_of
from service.ipc.server import WorkerServer
from service.settings import Settings
from tests.e2e.server import free_port
from tests.service.serving import working

pytestmark = pytest.mark.anyio


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)


def support(seed: int = 0) -> SupportSet:
    return SupportSet(images(4, seed), np.arange(4) % 2, 2)


@pytest.fixture(scope="module")
def digests(zoo) -> Mapping[str, str]:
    return {name: card.checkpoint for name, card in Catalogue(zoo).items()}


@pytest.fixture
def url(tmp_path) -> str:
    return f"unix://{tmp_path}/worker"


class Listening:
    """A listener that can be cut off."""

    def __init__(self, worker: Worker, models: Mapping[str, str], secret: str = "") -> None:
        self.listener = WorkerServer(worker, models, secret)
        self._server: asyncio.Server | None = None

    async def start(self, url: str) -> None:
        self._server = await self.listener.listen(url)
        self.listener.set_ready()

    def cut(self) -> None:
        """Stop listening, and break every connection."""
        self._server.close()
        for session in list(self.listener.sessions):
            session.link.abort()


@asynccontextmanager
async def listening(url: str, worker: Worker, models: Mapping[str, str], secret: str = "") -> AsyncIterator[Listening]:
    one = Listening(worker, models, secret)
    await one.start(url)
    yield one
    one.cut()


async def until(true) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(urls, models, secret: str = "", deadline_s: float = 30) -> AsyncIterator[Pool]:
    async with pool_of(urls, secret, models, deadline_s) as pool:
        await until(pool.alive)
        yield pool


@pytest.mark.parametrize("name", ["glyphs", "glyphs-maml"])
async def test_the_answers_are_the_workers(url, worker, digests, name):
    async with listening(url, worker, digests), connected([url], digests) as pool:
        state = await pool.adapt(name, "alice", support())
        expected = await worker.adapt(name, "alice", support())
        assert {key: value.tolist() for key, value in state.items()} == {k: v.tolist() for k, v in expected.items()}
        answers = await pool.predict(name, "wire/1", images(3, 1), state)
        assert np.array_equal(answers, await worker.predict(name, "direct/1", images(3, 1), expected))
        assert np.array_equal(answers, await pool.predict(name, "wire/1", images(3, 1)))


async def test_what_was_adapted_is_held_until_it_is_dropped(url, worker, digests):
    async with listening(url, worker, digests), connected([url], digests) as pool:
        with pytest.raises(StateNotCached):
            await pool.predict("glyphs", "alice/1", images(1, 0))
        await pool.adapt("glyphs", "alice/1", support())
        await pool.predict("glyphs", "alice/1", images(1, 0))
        pool.evict("alice/1")
        with pytest.raises(StateNotCached):
            await pool.predict("glyphs", "alice/1", images(1, 0))


async def test_a_job_that_fails_says_why_and_fails_alone(url, worker, digests):
    wave = SupportSet(np.full((3, 1), 1e18, np.float32), np.full((3, 1), 1e18, np.float32), 0)
    async with listening(url, worker, digests), connected([url], digests) as pool:
        bad = pool.adapt("sinusoid", "alice", wave)
        outcomes = await asyncio.gather(bad, pool.adapt("glyphs", "alice", support()), return_exceptions=True)
        assert isinstance(outcomes[0], Diverged)
        assert "prototypes" in outcomes[1]
        with pytest.raises(Unavailable, match="failed at this job"):
            await pool.adapt("no such model", "alice", support())
        await pool.adapt("glyphs", "alice", support())


async def test_a_worker_that_comes_back_is_found_again(url, worker, digests):
    async with listening(url, worker, digests) as first, connected([url], digests) as pool:
        first.cut()
        await until(lambda: not pool.alive())
        with pytest.raises(Unavailable):
            await pool.adapt("glyphs", "alice", support())
        async with listening(url, worker, digests):
            await until(pool.alive)
            await pool.adapt("glyphs", "alice", support())


class Slow:
    """A worker whose jobs wait until they are let go."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self.asked, self.cancelled = worker, asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str):
        return getattr(self._worker, name)

    def submit_adapt(self, *args) -> asyncio.Future:
        self.asked.set()
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda one: self.cancelled.set() if one.cancelled() else None)
        return future


async def test_what_waits_for_a_worker_that_dies_is_told_at_once(url, worker, digests):
    slow = Slow(worker)
    async with listening(url, slow, digests) as one, connected([url], digests) as pool:
        waiting = asyncio.create_task(pool.adapt("glyphs", "alice", support()))
        await slow.asked.wait()
        one.cut()
        with pytest.raises(Unavailable):
            await waiting


async def test_what_waits_for_a_worker_that_dies_is_done_by_another(tmp_path, worker, digests):
    urls = [f"unix://{tmp_path}/{i}" for i in range(2)]
    slow = Slow(worker)
    async with (
        listening(urls[0], slow, digests) as dying,
        listening(urls[1], worker, digests),
        pool_of(urls, "", digests, 30) as pool,
    ):
        await until(lambda: pool.size() == 2)
        key = next(key for key in map(str, range(100)) if pool._home_of(key, 0).url == urls[0])
        waiting = asyncio.create_task(pool.adapt("glyphs", key, support()))
        await slow.asked.wait()
        dying.cut()
        assert "prototypes" in await waiting


async def test_a_job_that_nobody_waits_for_is_taken_back(url, worker, digests):
    slow = Slow(worker)
    async with listening(url, slow, digests), connected([url], digests) as pool:
        waiting = asyncio.create_task(pool.adapt("glyphs", "alice", support()))
        await slow.asked.wait()
        waiting.cancel()
        await asyncio.wait_for(slow.cancelled.wait(), 30)


async def test_a_job_may_wait_for_its_deadline_and_no_longer(url, worker, digests):
    slow = Slow(worker)
    async with listening(url, slow, digests), connected([url], digests, deadline_s=0.05) as pool:
        with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
            await pool.adapt("glyphs", "alice", support())
        await asyncio.wait_for(slow.cancelled.wait(), 30)


async def test_who_does_not_know_the_secret_is_turned_away_and_says_so(worker, digests, caplog):
    url = f"tcp://127.0.0.1:{free_port()}"
    async with listening(url, worker, digests, "secret") as one, AsyncExitStack() as stack:
        stranger = await stack.enter_async_context(pool_of([url], "guess", digests, 30))
        await stack.enter_async_context(connected([url], digests, "secret"))  # by then a stranger would be in too
        assert not stranger.alive()
        await until(lambda: "is HANDFUL_WORKER_SECRET the same there?" in caplog.text)
        assert len(one.listener.sessions) == 1


class FalseWorker:
    """Takes any proof, and answers with one that it has made up."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self._models = dict(models)
        self.link = Connection(messages.ToWorker, self._received, connected=self._greet, lost=lambda: None)

    def _greet(self) -> None:
        self.link.send(messages.Challenge(messages.VERSION, messages.new_nonce()))

    def _received(self, proof: messages.Proof) -> None:
        self.link.send(messages.Welcome(bytes(len(proof.mac)), self._models))
        self.link.send(messages.Heartbeat(True))


async def test_a_worker_that_does_not_know_the_secret_is_not_used(url, digests, caplog):
    server = await listen(url, lambda: FalseWorker(digests).link)
    async with server, pool_of([url], "secret", digests, 30) as pool:
        await until(lambda: "does not know" in caplog.text)
        assert not pool.alive()


async def test_a_worker_with_other_checkpoints_is_not_used(url, worker, digests, caplog):
    other = dict(digests) | {"glyphs": "another"}
    async with listening(url, worker, other), pool_of([url], "", digests, 30) as pool:
        await until(lambda: "other models or checkpoints" in caplog.text)
        assert not pool.alive()


async def test_a_client_goes_to_the_same_worker_until_that_is_busy(tmp_path, zoo, digests):
    urls = [f"unix://{tmp_path}/{i}" for i in range(3)]
    async with AsyncExitStack() as stack:
        workers = [stack.enter_context(working(Settings(models=zoo, deadline_s=30))) for _ in urls]
        for url, worker in zip(urls, workers, strict=True):
            await stack.enter_async_context(listening(url, worker, digests))
        pool = await stack.enter_async_context(pool_of(urls, "", digests, 30))
        await until(lambda: pool.size() == 3)
        homes = {key: pool._home_of(key, 0).url for key in map(str, range(60))}
        assert homes == {key: pool._home_of(key, 0).url for key in homes}
        assert set(homes.values()) == set(urls)
        for key in homes:
            await pool.adapt("glyphs", key, support())
            await pool.predict("glyphs", key, images(1, 0))


class Busy:
    """A worker for which jobs wait."""

    ready = True

    def __init__(self, url: str, depth: int) -> None:
        self.url, self.depth, self.asked = url, depth, []

    async def ask(self, message_of):
        self.asked.append(message_of(0))
        raise Diverged("enough")


async def test_an_adapt_leaves_a_busy_worker_sooner_than_a_predict_does():
    busy, idle = (Busy(f"unix:///{i}", 0) for i in range(2))
    pool = Pool([busy, idle], 30)
    key = next(key for key in map(str, range(60)) if pool._home_of(key, 0) is busy)
    for busy.depth in (2, 3, 16, 17):
        for job in (pool.adapt("glyphs", key, support()), pool.predict("glyphs", key, images(1, 0))):
            with pytest.raises(Diverged):
                await job
    assert [type(message) for message in busy.asked] == [
        messages.Adapt,
        messages.Predict,
        messages.Predict,
        messages.Predict,
    ]
    assert [type(message) for message in idle.asked] == [
        messages.Adapt,
        messages.Adapt,
        messages.Adapt,
        messages.Predict,
    ]


async def test_a_worker_that_says_nothing_is_broken_off(url, worker, digests, monkeypatch):
    slow = Slow(worker)
    monkeypatch.setattr(client, "SILENCE_S", 0.1)
    async with listening(url, slow, digests), connected([url], digests) as pool:  # nobody makes it beat
        with pytest.raises(Unavailable):
            await pool.adapt("glyphs", "alice", support())
