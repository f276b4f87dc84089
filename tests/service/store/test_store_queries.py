"""Kept queries in the store: read back, bounded, and gone with their client."""

from dataclasses import dataclass

import numpy as np
import pytest

from service.store.keys import queries_key, query_key
from service.store.queries import Bounds
from service.store.store import Store
from tests.service.redises import EITHER, until
from tests.service.supports import ALICE, draft

pytestmark = [pytest.mark.anyio, EITHER]

QUERIES = np.arange(6, dtype=np.float32).reshape(3, 2)
IDS = ["a-0", "a-1", "a-2"]


async def keeping(store: Store, **fields):
    return await store.commit(ALICE, draft(2)._replace(keep_queries_s=60, **fields))


async def found(store: Store, ids=IDS) -> list[list | None]:
    queries = [await store.query(ALICE, name) for name in ids]
    return [None if each is None else each.tolist() for each in queries]


async def test_kept_queries_are_read_back(store):
    record = await keeping(store)
    assert await store.keep_queries(ALICE, record, IDS, QUERIES) == 3
    assert await found(store) == [[each] for each in QUERIES.tolist()]
    assert await store.query(ALICE._replace(tenant="other"), "a-0") is None


@pytest.mark.parametrize("end", ["forget", "forget_version", "sweep", "replace"])
async def test_nothing_of_kept_queries_is_left_with_the_end_of_a_client(store, redis, end):
    record = await keeping(store)
    await store.keep_queries(ALICE, record, IDS, QUERIES)
    if end == "forget_version":
        await store.forget_version(ALICE, record)
    elif end == "forget":
        await store.forget(ALICE)
    else:
        expired = draft(1, ttl_s=0)
        await store.commit(ALICE, expired)
        await (store.sweep() if end == "sweep" else store.commit(ALICE, draft(1)))
    assert redis.keys("*:queries*") == []


@pytest.mark.parametrize("change", ["forgotten", "changed", "created again"])
async def test_queries_of_a_client_that_has_changed_since_are_not_kept(store, redis, change):
    record = await keeping(store)
    if change == "changed":
        await store.commit(ALICE, draft(3))
    else:
        await store.forget(ALICE)
    if change == "created again":
        await keeping(store)
    assert await store.keep_queries(ALICE, record, IDS, QUERIES) == 0
    assert redis.keys("*:queries*") == []


async def test_a_removal_forgets_the_queries_with_the_same_input(store):
    record = await keeping(store)
    same = draft(2).examples[0]
    inputs = np.concatenate([np.zeros((1, 2), np.float32), QUERIES[1:]])
    await store.keep_queries(ALICE, record, IDS, inputs)
    await store.commit(ALICE, draft(1)._replace(removed=[same]))
    assert [each is None for each in await found(store)] == [True, False, False]


@dataclass
class Bounded:
    """Bounds, and how many of three queries and then of one more are kept."""

    bounds: Bounds
    first: int
    then: int


SIZE = 16 + len('{"dtype":"float32","shape":[2]}\n') + 8


@pytest.mark.parametrize(
    "case",
    [
        Bounded(Bounds(3, 10**6), 3, 2),
        Bounded(Bounds(2, 10**6), 2, 1),
        Bounded(Bounds(9, 3 * SIZE), 3, 2),
        Bounded(Bounds(9, 3 * SIZE - 1), 2, 1),
        Bounded(Bounds(9, 4 * SIZE), 3, 3),
        Bounded(Bounds(9, SIZE - 1), 0, 0),
    ],
    ids=str,
)
async def test_the_oldest_queries_are_dropped_first(redis_url, redis, case):
    redis.flushall()
    store = Store(redis_url, timeout_s=20, state_ttl_s=1000, queries=case.bounds)
    record = await keeping(store)
    assert await store.keep_queries(ALICE, record, IDS, QUERIES) == case.first
    assert [each is not None for each in await found(store)] == [i >= 3 - case.first for i in range(3)]
    await store.keep_queries(ALICE, record, ["b-0"], QUERIES[:1])
    assert [each is not None for each in await found(store)] == [i >= 3 - case.then for i in range(3)]
    assert redis.zcard(queries_key(ALICE)) == case.then + (case.first > 0)
    await store.close()


async def test_expired_queries_do_not_stand_in_the_way_of_new_ones(store, redis):
    record = await keeping(store)
    await store.keep_queries(ALICE, record, IDS, QUERIES)
    for name in IDS:
        redis.pexpire(query_key(ALICE, name), 1)
    until(lambda: not redis.exists(query_key(ALICE, IDS[0])))
    assert await store.keep_queries(ALICE, record, ["b-0"], QUERIES[:1]) == 1
    assert await found(store, ["a-0", "b-0"]) == [None, [QUERIES[0].tolist()]]
