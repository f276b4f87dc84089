"""A lost state is rebuilt from the support set. The client does not notice."""

import asyncio

import numpy as np
import pytest

from service.cards import Catalogue
from service.engine.base import StateNotCached
from service.engine.worker import Worker
from service.errors import StoreFull, UnknownClient
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.records import ClientKey, Draft
from service.store.store import Store
from tests.service.drawings import letters, png
from tests.service.serving import working
from tests.service.supports import Calls, teaching, use_cases
from tests.service.zoo import make_zoo

pytestmark = pytest.mark.anyio

ALICE, BOB = ClientKey("default", "alice"), ClientKey("default", "bob")
SUPPORT = [(example["input"], example["label"]) for example in letters("LVZ")]
ASKED = [png("N"), png("V")]
NOTHING = np.zeros((1, 1, 28, 28), np.uint8)


class Counting:
    """An engine that counts adapts. They wait until the gate is open."""

    def __init__(self, worker: Worker) -> None:
        self._worker, self.adapts = worker, 0
        self.gate, self.stopped = asyncio.Event(), asyncio.Event()
        self.gate.set()

    def __getattr__(self, name: str):
        return getattr(self._worker, name)

    async def adapt(self, *args, **options):
        self.adapts += 1
        if not self.gate.is_set():
            self.stopped.set()
        await self.gate.wait()
        return await self._worker.adapt(*args, **options)


@pytest.fixture
def engine(zoo):
    """An engine that caches only the latest state."""
    with working(Settings(models=zoo, state_cache_bytes=0)) as worker:
        yield Counting(worker)


class InPlace(Decoder):
    """Decodes in this process."""

    async def decode(self, kind, raw, fields, tenant):
        return kind.decode(raw, fields, self._limits)


def clients_of(settings: Settings, engine, store: Store) -> Calls:
    return use_cases(Catalogue(settings.models), engine, store, settings, InPlace(settings))


async def answers(clients: Calls, asked=ASKED) -> list:
    return (await clients.predict(ALICE, asked)).answers


@pytest.fixture
async def clients(settings, engine, store) -> Calls:
    """Alice has adapted. The state of Bob has then evicted hers from the worker."""
    clients = clients_of(settings, engine, store)
    await clients.adapt(ALICE, teaching(None, SUPPORT, None))
    await clients.adapt(BOB, teaching(None, SUPPORT[:4], None))
    return clients


async def test_a_state_that_the_worker_evicted_comes_from_redis(clients, engine):
    assert (await answers(clients)).shape == (2, 3)
    assert engine.adapts == 2


async def test_a_state_that_is_lost_everywhere_is_rebuilt_once(clients, engine, redis):
    before = await answers(clients)
    await clients.predict(BOB, ASKED)
    assert redis.delete(*redis.keys("*:state*")) == 2
    assert await answers(clients) == pytest.approx(before, abs=1e-5)
    assert engine.adapts == 3
    await clients.predict(BOB, ASKED)
    assert await answers(clients) == pytest.approx(before, abs=1e-5)
    assert engine.adapts == 4


async def test_a_rebuilt_state_is_stored_with_an_expiry(clients, redis):
    redis.delete(*redis.keys("*:state*"))
    await answers(clients)
    [key] = redis.keys("*:state*")
    assert 0 < redis.ttl(key) <= 1000


async def test_concurrent_predicts_share_one_rebuild(clients, engine, redis):
    redis.delete(*redis.keys("*:state*"))
    engine.gate.clear()
    asking = [asyncio.create_task(answers(clients)) for _ in range(8)]
    await engine.stopped.wait()
    asking += [asyncio.create_task(answers(clients)) for _ in range(8)]
    engine.gate.set()
    first, *others = await asyncio.gather(*asking)
    assert engine.adapts == 3
    assert all(other == pytest.approx(first, abs=1e-4) for other in others)


async def test_a_cancelled_predict_does_not_cancel_the_shared_rebuild(clients, engine, redis):
    redis.delete(*redis.keys("*:state*"))
    engine.gate.clear()
    impatient, patient = (asyncio.create_task(answers(clients)) for _ in range(2))
    await engine.stopped.wait()
    impatient.cancel()
    engine.gate.set()
    assert (await patient).shape == (2, 3)
    assert engine.adapts == 3


async def test_an_adapt_during_a_rebuild_gives_the_new_answer(clients, engine, redis):
    redis.delete(*redis.keys("*:state*"))
    engine.gate.clear()
    asking = asyncio.create_task(clients.predict(ALICE, ASKED))
    await engine.stopped.wait()
    adapting = asyncio.create_task(clients.adapt(ALICE, teaching(None, SUPPORT[:4], None)))
    engine.gate.set()
    await adapting
    assert (await asking).answers.shape[1] == len((await asking).record.classes)
    assert (await clients.predict(ALICE, ASKED)).answers.shape == (2, 2)


async def test_a_delete_during_a_rebuild_leaves_nothing(clients, engine, redis):
    redis.delete(*redis.keys("*:state*"))
    engine.gate.clear()
    asking = asyncio.create_task(answers(clients))
    await engine.stopped.wait()
    await clients.forget(ALICE)
    engine.gate.set()
    await asyncio.gather(asking, return_exceptions=True)
    assert redis.keys("*alice*") == []
    with pytest.raises(UnknownClient):
        await answers(clients)


async def test_states_of_an_older_checkpoint_are_rebuilt(clients, store, settings, tmp_path):
    old = await answers(clients)
    newer = settings.model_copy(update={"models": make_zoo(tmp_path / "newer", seed=1)})
    with working(newer) as worker:
        renewed = clients_of(newer, worker, store)
        found = await answers(renewed)
        await renewed.adapt(ALICE, teaching(None, SUPPORT, None))
        assert found == pytest.approx(await answers(renewed), abs=1e-4)
    assert found != pytest.approx(old, abs=1e-4)


async def test_the_device_holds_only_the_latest_state_of_a_client(settings, store):
    with working(settings) as worker:
        clients = clients_of(settings, worker, store)
        first, second = [(await clients.adapt(ALICE, teaching(None, SUPPORT, None))).record for _ in range(2)]
        await worker.predict(second.model, second.write, NOTHING)
        with pytest.raises(StateNotCached):
            await worker.predict(first.model, first.write, NOTHING)


async def test_the_device_evicts_the_state_of_an_expired_client_that_is_adapted_again(settings, store):
    with working(settings) as worker:
        clients = clients_of(settings, worker, store)
        first = (await clients.adapt(ALICE, teaching(None, SUPPORT, -1))).record
        await clients.adapt(ALICE, teaching(None, SUPPORT, None))
        with pytest.raises(StateNotCached):
            await worker.predict(first.model, first.write, NOTHING)


async def test_the_device_evicts_a_state_that_could_not_be_stored(settings, store, monkeypatch):
    with working(settings) as worker:
        drafts = []

        async def commit(client: ClientKey, draft: Draft, **_: object) -> None:
            drafts.append(draft)
            raise StoreFull("full")

        monkeypatch.setattr(store, "commit", commit)
        with pytest.raises(StoreFull):
            await clients_of(settings, worker, store).adapt(ALICE, teaching(None, SUPPORT, None))
        [draft] = drafts
        with pytest.raises(StateNotCached):
            await worker.predict(draft.model, draft.write, NOTHING)
