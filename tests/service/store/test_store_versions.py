"""Versions in Redis: examples once, lists of them, and nothing that no version needs."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from service.errors import UnknownVersion, VersionGone
from service.store.examples import Example, form_of
from service.store.keys import examples_key, inputs_key, past_state_key, versions_key
from service.store.records import Draft, Gone
from service.store.store import AlreadyThere, Store
from tests.service.redises import EITHER
from tests.service.supports import ALICE, draft, examples_of, key_of

pytestmark = [pytest.mark.anyio, EITHER]

KEPT = 3
INPUTS = np.arange(40, dtype=np.float32).reshape(20, 2)


@pytest.fixture
async def few(redis_url, redis) -> AsyncIterator[Store]:
    redis.flushall()
    store = Store(redis_url, timeout_s=20, state_ttl_s=1000, versions=KEPT)
    yield store
    await store.close()


def of(examples: list[Example], **fields: object) -> Draft:
    return draft()._replace(examples=examples, targets=[1] * len(examples), form=form_of(INPUTS), **fields)


async def taught(store: Store, count: int) -> list[Example]:
    """A version of new examples; returns them as they are stored."""
    await store.commit(ALICE, of(examples_of(INPUTS[:count])))
    return (await store.contents(ALICE)).examples


def rows(redis, key=inputs_key) -> list[int]:
    return sorted(map(int, redis.hkeys(key(ALICE))))


async def test_an_append_writes_its_own_rows(few, redis):
    first = await taught(few, 10)
    redis.hset(inputs_key(ALICE), "0", b"damaged")
    await few.commit(ALICE, of([*first, *examples_of(INPUTS[10:11], "new")]), after=await few.record(ALICE))
    assert redis.hget(inputs_key(ALICE), "0") == b"damaged"
    assert rows(redis) == rows(redis, examples_key) == list(range(11))


async def test_rows_that_no_kept_version_has_are_deleted(few, redis):
    for number in range(5):
        await few.commit(ALICE, of(examples_of(INPUTS[number : number + 1], f"v{number}-")))
    assert rows(redis) == rows(redis, examples_key) == [2, 3, 4]
    assert sorted(redis.hkeys(versions_key(ALICE))) == [b"3", b"4", b"5"]
    with pytest.raises(UnknownVersion):
        await few.contents(ALICE, 2)
    assert [each.id for each in (await few.contents(ALICE, 3)).examples] == ["v2-0"]


async def test_the_same_examples_use_their_rows_again(few, redis):
    await taught(few, 3)
    await taught(few, 3)
    assert rows(redis) == [0, 1, 2]
    await few.commit(ALICE, of(examples_of(INPUTS[:3], "other")))
    assert rows(redis) == [0, 1, 2, 3, 4, 5]


async def test_an_adapt_heals_the_damaged_rows_of_the_same_examples(few, redis):
    first = await taught(few, 3)
    redis.hset(inputs_key(ALICE), "1", b"damaged")
    await taught(few, 3)
    assert [each.raw for each in (await few.contents(ALICE)).examples] == [each.raw for each in first]


async def test_a_removal_leaves_a_receipt_in_place_of_the_versions_that_had_the_example(few, redis):
    first = await taught(few, 3)
    record = await few.commit(ALICE, of(first[1:], removed=first[:1]), after=await few.record(ALICE))
    assert record.receipt.examples == ["e0"]
    assert (record.receipt.from_version, record.receipt.to_version) == (1, 2)
    assert rows(redis) == [1, 2]
    for call in (few.contents(ALICE, 1), few.version(ALICE, 1)):
        with pytest.raises(VersionGone) as gone:
            await call
        assert gone.value.receipt["to_version"] == 2
    now, before = await few.versions(ALICE)
    assert (now.version, isinstance(before, Gone)) == (2, True)


async def test_a_removal_keeps_the_history_on_demand(few, redis):
    first = await taught(few, 3)
    kept = of(first[1:], removed=first[:1], keep_history=True)
    assert (await few.commit(ALICE, kept, after=await few.record(ALICE))).receipt.examples == ["e0"]
    assert rows(redis) == [0, 1, 2]
    assert len((await few.contents(ALICE, 1)).examples) == 3


async def test_versions_without_the_example_stay(few):
    first = await taught(few, 2)
    both = [*first, *examples_of(INPUTS[5:6], "new")]
    await few.commit(ALICE, of(both), after=await few.record(ALICE))
    [*_, new] = (await few.contents(ALICE)).examples
    await few.commit(ALICE, of(first, removed=[new]), after=await few.record(ALICE))
    assert len((await few.contents(ALICE, 1)).examples) == 2
    with pytest.raises(VersionGone):
        await few.contents(ALICE, 2)


async def test_the_state_of_an_earlier_version_is_kept_until_a_removal(few, redis):
    first = await taught(few, 3)
    earlier = await few.record(ALICE)
    await few.commit(ALICE, of(first), after=earlier)
    key, state = key_of(ALICE, earlier), {"w": np.array([7.0])}
    await few.save_state(key, earlier, state)
    assert await few.state(key, earlier, past=True) == state
    assert 0 < redis.ttl(past_state_key(ALICE)) <= 1000
    await few.commit(ALICE, of(first[1:], removed=first[:1]), after=await few.record(ALICE))
    assert not redis.exists(past_state_key(ALICE))
    await few.save_state(key, earlier, state)
    assert not redis.exists(past_state_key(ALICE))


async def test_a_version_without_a_state_deletes_the_one_before(few, redis):
    first = await taught(few, 2)
    await few.commit(ALICE, of(first[:1], state=None, classes=["a"]), after=await few.record(ALICE))
    record = await few.record(ALICE)
    assert (record.ready, await few.state(key_of(ALICE, record), record)) == (False, None)


async def test_a_new_client_does_not_replace_one(few):
    await taught(few, 2)
    with pytest.raises(AlreadyThere):
        await few.commit(ALICE, of(examples_of(INPUTS[:1])), new=True)
    await few.forget(ALICE)
    assert (await few.commit(ALICE, of(examples_of(INPUTS[:1])), new=True)).version == 1
