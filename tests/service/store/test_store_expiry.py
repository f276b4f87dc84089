"""Clients that asked to be forgotten after a time: gone when it has come, and removed by the next sweep."""

import pytest

from service.errors import UnknownClient
from service.store.keys import record_key, state_key, support_key
from service.store.records import ClientKey
from service.store.store import VersionMoved
from tests.service.redises import EITHER
from tests.service.supports import ALICE, draft, key_of

pytestmark = [pytest.mark.anyio, EITHER]

OVER = -1
"""Seconds to live of a client whose time has come."""


async def test_the_record_says_when(store):
    version = draft(ttl_s=60)
    record = await store.commit(ALICE, version)
    assert record.expires_at == version.expires_at
    assert await store.record(ALICE) == record


async def test_a_state_expires_with_its_client_however_often_it_is_used(store, redis):
    record = await store.commit(ALICE, draft(ttl_s=60))
    assert 0 < redis.ttl(state_key(ALICE)) <= 60
    await store.state(key_of(ALICE, record), record)
    assert 0 < redis.ttl(state_key(ALICE)) <= 60
    await store.save_state(key_of(ALICE, record), record, draft().state)
    assert 0 < redis.ttl(state_key(ALICE)) <= 60


async def test_what_a_client_taught_is_nothing_that_redis_may_evict(store, redis):
    await store.commit(ALICE, draft(ttl_s=60))
    assert [redis.ttl(key(ALICE)) for key in (record_key, support_key)] == [-1, -1]


@pytest.mark.parametrize("call", ["record", "support", "forget"])
async def test_a_client_whose_time_has_come_is_unknown_even_before_the_sweep(store, call):
    await store.commit(ALICE, draft(ttl_s=OVER))
    with pytest.raises(UnknownClient):
        await getattr(store, call)(ALICE)


async def test_nothing_follows_a_version_whose_time_has_come(store):
    first = await store.commit(ALICE, draft(ttl_s=OVER))
    with pytest.raises(VersionMoved):
        await store.commit(ALICE, draft(2), after=first)


async def test_a_client_that_comes_back_begins_anew_and_stays(store):
    first = await store.commit(ALICE, draft(ttl_s=OVER))
    again = await store.commit(ALICE, draft(2))
    assert (again.version, again.created_at > first.created_at) == (1, True)
    await store.sweep()
    assert await store.record(ALICE) == again


async def test_a_sweep_leaves_nothing_of_those_whose_time_has_come(store, redis):
    await store.commit(ALICE, draft(ttl_s=OVER))
    await store.commit(ClientKey("globex", "a:b"), draft(ttl_s=OVER))
    await store.sweep()
    assert redis.keys() == []


async def test_a_sweep_leaves_all_others_alone(store):
    stay = [
        await store.commit(ClientKey("acme", "a"), draft()),
        await store.commit(ClientKey("acme", "b"), draft(ttl_s=60)),
    ]
    await store.commit(ClientKey("acme", "c"), draft(ttl_s=OVER))
    await store.sweep()
    assert await store.clients("acme", after="", limit=10) == stay


async def test_a_time_to_live_that_was_taken_back_is_forgotten(store):
    await store.commit(ALICE, draft(1, ttl_s=60))
    kept = await store.commit(ALICE, draft(2))
    assert kept.expires_at is None
    await store.sweep()
    assert await store.record(ALICE) == kept


async def test_nothing_is_left_of_a_client_that_was_forgotten_before_its_time(store, redis):
    await store.commit(ALICE, draft(ttl_s=60))
    await store.forget(ALICE)
    assert redis.keys() == []
