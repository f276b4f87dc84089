"""Concurrent requests for one client behave as if they ran one after another.

Two API processes, each with its own engine, share a Redis. The seeds choose what they are asked and how it interleaves.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count

import pytest

from service.errors import (
    Contended,
    TooFewExamples,
    UnknownClient,
    UnknownExample,
    UnknownPrediction,
    UnknownVersion,
    VersionGone,
)
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.checksums import parse_record
from service.store.keys import client_keys, record_key, state_key
from service.store.records import Adapted, ClientKey, Record, RequestKey
from service.store.store import Store
from service.use_cases.editing import Editing, Wanted
from service.use_cases.feedback import Feedback
from service.use_cases.learning import Learning
from service.use_cases.versioning import Versioning
from tests.service.redises import EITHER
from tests.service.store.fake_engine import CATALOGUE, FakeEngine
from tests.service.store.histories import KEPT, RELABELLED, Operation, linearizable
from tests.service.supports import Calls, teaching

pytestmark = [pytest.mark.anyio, EITHER]

ALICE = ClientKey("acme", "alice")
SEEDS = 25
CALLERS, CALLS = 6, 5
NAMES = ["adapt", "append", "append", "retried append", "predict", "delete", "get", "list"]
NAMES += ["remove", "remove", "relabel", "predict version", "rollback", "feedback", "feedback", "examples"]
OF_EXAMPLES, OF_VERSIONS = ("remove", "relabel"), ("predict version", "rollback")
IN_A_CLUSTER = [name for name in NAMES if name != "list"]
"""The list of clients lies in another slot there, and is repaired when it is read."""


class Caller:
    """Sends requests one after another, and notes when each began and ended."""

    def __init__(
        self, learning: Learning, chance: random.Random, clock: count, history: list[Operation], *, breaks: bool
    ) -> None:
        self._clients, self._edits = Calls(learning, Decoder(Settings())), Editing(learning)
        self._versions, self._feedback = Versioning(learning), Feedback(self._clients.adapting, learning.store)
        self._chance, self._clock, self._history = chance, clock, history
        self._breaks = breaks

    async def run(self, names: list[str]) -> None:
        for name in names:
            if name == "feedback":
                await self._give_feedback()
                continue
            began = next(self._clock)
            number = self._number(name, began)
            result: object = None
            with suppress(UnknownClient):
                result = await self._call(name, number)
            kind = "append" if "append" in name else name
            if result is not Contended:  # nothing was changed
                self._history.append(Operation(kind, number, result, began, next(self._clock)))

    async def _give_feedback(self) -> None:
        """Ask with a new number, and teach the number as its label."""
        number = next(self._clock)
        with suppress(UnknownClient, TooFewExamples, Contended):
            answered = await self._clients.predict(ALICE, [[float(number)]])
            ids, _ = await self._feedback.keep(ALICE, answered)
            if ids:
                self._history.append(Operation("keep", number, True, number, next(self._clock)))
                await self._feed_back(ids[0], number)

    async def _feed_back(self, prediction: str, number: int) -> None:
        began, result = next(self._clock), None
        try:
            result = (await self._feedback.give(ALICE, prediction, [float(number)])).record.version
        except UnknownPrediction as refused:
            result = refused.code
        except UnknownClient:
            pass
        self._history.append(Operation("feedback", number, result, began, next(self._clock)))

    def _number(self, name: str, new: int) -> int:
        """The example or the version of a request."""
        if name in OF_VERSIONS:
            return self._chance.randrange(1, 6)
        return self._chance.randrange(new + 1) if name in OF_EXAMPLES else new

    async def _call(self, name: str, example: int) -> object:
        pair = [([example], [float(example)], f"e{example}")]
        try:
            if name == "adapt":
                return (
                    await self._clients.adapt(ALICE, teaching("echo", pair, None, keep_queries_s=60))
                ).record.version
            if name == "append":
                return (await self._clients.append(ALICE, teaching(None, pair, None))).record.version
            if name == "retried append":
                return await self._retry(pair, RequestKey(f"key-{example}", "same"))
            return await self._read_or_change(name, example)
        except Contended:
            return Contended
        except (UnknownExample, UnknownVersion, VersionGone, TooFewExamples) as refused:
            return refused.code

    async def _read_or_change(self, name: str, number: int) -> object:
        match name:
            case "predict" | "predict version":
                version = number if name == "predict version" else None
                answered = await self._clients.predict(ALICE, [[0.0]], version=version)
                return answered.record.version, tuple(int(each) for each in answered.answers[0])
            case "delete":
                await self._clients.forget(ALICE)
                return True
            case "get":
                return _shown(await self._clients.show(ALICE))
            case "list":
                page = await self._clients.page("acme", after="", limit=10)
                return _shown(page[0]) if page else None
            case "examples":
                shown = await self._edits.page(ALICE, Wanted())
                return shown.record.version, tuple(sorted(int(each.label[0]) for each in shown.examples))
        return (await self._changed(name, number)).record.version

    async def _changed(self, name: str, number: int) -> Adapted:
        match name:
            case "remove":
                return await self._edits.remove(ALICE, f"e{number}")
            case "relabel":
                return await self._edits.relabel(ALICE, f"e{number}", [float(number + RELABELLED)])
        return await self._versions.rollback(ALICE, number)

    async def _retry(self, pair: list, request: RequestKey) -> object:
        """Send an append twice with the same key. With `breaks`, the first is broken off at some moment.

        In a Cluster the answer is written after the client, in another slot. A request that is broken off between the
        two is not recognised if others have adapted the client since, so there the first is waited for.
        """
        first = asyncio.create_task(self._clients.append(ALICE, teaching(None, pair, None, request)))
        for _ in range(self._chance.randrange(40)):
            await asyncio.sleep(0)
        if self._breaks:
            first.cancel()
        with suppress(asyncio.CancelledError, UnknownClient, Contended):
            await first
        return (await self._clients.append(ALICE, teaching(None, pair, None, request))).record.version


def _shown(record: Record) -> tuple[int, int]:
    return record.version, record.examples


@pytest.fixture
async def stores(redis_url, redis) -> AsyncIterator[list[Store]]:
    stores = [Store(redis_url, timeout_s=20, state_ttl_s=1000, versions=KEPT) for _ in range(2)]
    yield stores
    for store in stores:
        await store.close()


async def history_of(stores: list[Store], redis, redis_url: str, seed: int) -> list[Operation]:
    chance, clock, history = random.Random(seed), count(), []
    apis = [Learning(CATALOGUE, FakeEngine(chance), store, Settings()) for store in stores]
    cluster = "cluster" in redis_url
    callers = [Caller(apis[i % len(apis)], chance, clock, history, breaks=not cluster) for i in range(CALLERS)]

    async def lose_states() -> None:
        while True:
            await asyncio.to_thread(redis.delete, state_key(ALICE))

    losing = asyncio.create_task(lose_states())
    names = IN_A_CLUSTER if cluster else NAMES
    await asyncio.gather(*(caller.run(chance.choices(names, k=CALLS)) for caller in callers))
    losing.cancel()
    await asyncio.gather(losing, return_exceptions=True)
    return history


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_an_order_explains_every_concurrent_history(stores, redis, redis_url, seed):
    redis.flushall()
    history = await history_of(stores, redis, redis_url, seed)
    assert linearizable(history), "\n".join(map(str, sorted(history, key=lambda operation: operation.began)))


async def test_the_search_finds_a_delete_that_takes_several_steps(stores, redis, redis_url, monkeypatch):
    async def forget(store: Store, client: ClientKey) -> Record | None:
        """A delete without a script: read, then delete the current value."""
        text = await store._redis.get(record_key(client))
        for _ in range(8):
            await store._redis.ping()  # time for others, so that some seed shows the defect on any machine
        await store._redis.delete(*client_keys(client))
        await store._lists.remove(client)
        if text is None:
            raise UnknownClient("")
        return parse_record(text)

    monkeypatch.setattr(Store, "forget", forget)
    for seed in range(SEEDS):
        redis.flushall()
        if not linearizable(await history_of(stores, redis, redis_url, seed)):
            return
    raise AssertionError("no seed shows the defect")
