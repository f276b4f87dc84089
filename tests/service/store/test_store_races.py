"""Others that come in the middle of what the store does, one command after another."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from service.arrays import Array
from service.errors import Contended, PreconditionFailed, UnknownClient
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store import redis_client
from service.store.keys import EXPIRIES_KEY
from service.store.records import Draft
from service.store.store import Store
from service.use_cases.editing import Editing, Wanted
from service.use_cases.learning import Learning
from service.use_cases.predicting import Answered, Predicting
from service.use_cases.suggesting import Suggesting
from service.use_cases.support_sets import same_contents
from service.use_cases.versioning import Versioning
from tests.service.relays import Overtakes, playing_redis
from tests.service.store.fake_engine import CATALOGUE, FakeEngine
from tests.service.supports import ALICE, Calls, draft, teaching

pytestmark = pytest.mark.anyio

OVER = -1
"""Time to live of an expired client, in seconds."""


@pytest.fixture(params=[False, True], ids=["one server", "lists elsewhere"], autouse=True)
def _lists_elsewhere(request, monkeypatch):
    monkeypatch.setattr(redis_client, "has_slots", lambda _: request.param)


@asynccontextmanager
async def overtaken(redis_url: str, moment: bytes, overtake: Callable[[], Awaitable[object]]) -> AsyncIterator[Store]:
    """A store that meets another request at the moment when it sends a command."""
    relay = Overtakes(redis_url, moment, overtake)
    async with playing_redis(relay) as url:
        store = Store(url, timeout_s=20, state_ttl_s=1000)
        try:
            yield store
        finally:
            await store.close()
    assert relay.met


@pytest.mark.parametrize("moment", [b"\r\nGET\r\n", b"EVAL", b"ZREM"])
async def test_a_client_that_is_adapted_during_a_sweep_keeps_its_expiry(store, redis_url, redis, moment):
    await store.commit(ALICE, draft(1, ttl_s=OVER))
    async with overtaken(redis_url, moment, lambda: store.commit(ALICE, draft(2, ttl_s=60))) as sweeper:
        await sweeper.sweep()
    back = await store.record(ALICE)
    assert back.examples == 2
    assert redis.zscore(EXPIRIES_KEY, "acme:alice") == back.expires_at.timestamp()
    assert await store.clients("acme", after="", limit=10) == [back]


@pytest.mark.parametrize(
    ("moment", "read"),
    [(b"HGET", lambda store: store.version(ALICE, 1)), (b"HGETALL", lambda store: store.versions(ALICE))],
    ids=["one version", "all versions"],
)
async def test_a_client_that_is_deleted_during_a_read_of_its_versions_is_unknown(store, redis_url, moment, read):
    for number in (1, 2):
        await store.commit(ALICE, draft(number))
    async with overtaken(redis_url, moment, lambda: store.forget(ALICE)) as reader:
        with pytest.raises(UnknownClient):
            await read(reader)


def of_one_class(number: int) -> Draft:
    return draft(number)._replace(targets=[1] * number)


async def without_the_first_example(store: Store) -> None:
    """A removal; no earlier version stays."""
    contents = await store.contents(ALICE)
    [gone, *rest] = contents.examples
    after = of_one_class(2)._replace(examples=rest, removed=[gone])
    await store.commit(ALICE, after, after=contents.record)


async def test_examples_that_are_listed_during_a_removal_are_those_of_the_version_after_it(store, redis_url):
    await store.commit(ALICE, of_one_class(3))
    async with overtaken(redis_url, b"HGET", lambda: without_the_first_example(store)) as reader:
        editing = Editing(Learning(CATALOGUE, FakeEngine(Random(0)), reader, Settings()))
        page = await editing.page(ALICE, Wanted())
    assert (page.record.version, [shown.example.id for shown in page.examples]) == (2, ["e1", "e2"])


async def test_a_rollback_of_a_client_that_was_changed_meanwhile_says_so(store, redis_url):
    """The version to go back to is gone, and so is the one that the request expects."""
    await store.commit(ALICE, of_one_class(3))
    record = await store.commit(ALICE, of_one_class(3))
    async with overtaken(redis_url, b"HGET", lambda: without_the_first_example(store)) as reader:
        versioning = Versioning(Learning(CATALOGUE, FakeEngine(Random(0)), reader, Settings()))
        with pytest.raises(PreconditionFailed):
            await versioning.rollback(ALICE, 1, [record.etag])


async def test_a_suggestion_during_the_removal_of_the_last_example_is_that_of_a_client_without_a_model(store):
    learning, decoder = Learning(CATALOGUE, Features(Random(0)), store, Settings()), Decoder(Settings())
    clients = Calls(learning, decoder)
    await clients.adapt(ALICE, teaching("echo", [([1], [1.0], "only")]))

    class Overtaken(Predicting):
        async def predict(self, *arguments: Any, **options: Any) -> Answered:
            if (await store.record(ALICE)).examples:
                await Editing(learning).remove(ALICE, "only")
            return await super().predict(*arguments, **options)

    suggested = await Suggesting(learning, Overtaken(learning, decoder), decoder).suggest(ALICE, [[0.0], [1.0]], 1)
    assert (suggested.record.version, suggested.answers) == (2, None)


class Features(FakeEngine):
    """An engine whose features are the queries."""

    async def features(self, model: str, queries: Array, **_: Any) -> Array:
        return queries


async def test_a_version_that_a_removal_took_before_its_examples_were_read_can_be_asked_again(store, redis_url):
    record = await store.commit(ALICE, of_one_class(3))
    async with overtaken(redis_url, b"HGET", lambda: without_the_first_example(store)) as reader:
        with pytest.raises(Contended):
            await same_contents(reader, ALICE, record)
