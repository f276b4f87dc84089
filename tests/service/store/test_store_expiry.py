"""Clients that asked to be forgotten after a time: gone when it has come, and removed by the next sweep."""

import pytest

from service.errors import UnknownClient
from service.store.keys import examples_key, inputs_key, record_key, state_key, versions_key
from service.store.records import ClientKey
from service.store.store import VersionMoved
from tests.service.redises import EITHER
from tests.service.supports import ALICE, draft, key_of

pytestmark = [pytest.mark.anyio, EITHER]

OVER = -1
"""Time to live of an expired client, in seconds."""


async def test_the_record_has_the_expiry(store):
    version = draft(ttl_s=60)
    record = await store.commit(ALICE, version)
    assert record.expires_at == version.expires_at
    assert await store.record(ALICE) == record


async def test_a_state_does_not_outlive_its_client(store, redis):
    record = await store.commit(ALICE, draft(ttl_s=60))
    assert 0 < redis.ttl(state_key(ALICE)) <= 60
    await store.state(key_of(ALICE, record), record)
    assert 0 < redis.ttl(state_key(ALICE)) <= 60
    await store.save_state(key_of(ALICE, record), record, draft().state)
    assert 0 < redis.ttl(state_key(ALICE)) <= 60


async def test_a_client_with_a_time_to_live_cannot_be_evicted(store, redis):
    await store.commit(ALICE, draft(ttl_s=60))
    assert [redis.ttl(key(ALICE)) for key in (record_key, versions_key, examples_key, inputs_key)] == [-1] * 4


@pytest.mark.parametrize("call", ["record", "contents", "versions", "forget"])
async def test_an_expired_client_is_unknown_before_the_sweep(store, call):
    await store.commit(ALICE, draft(ttl_s=OVER))
    with pytest.raises(UnknownClient):
        await getattr(store, call)(ALICE)


async def test_a_commit_after_an_expired_version_is_refused(store):
    first = await store.commit(ALICE, draft(ttl_s=OVER))
    with pytest.raises(VersionMoved):
        await store.commit(ALICE, draft(2), after=first)


async def test_an_expired_client_that_is_adapted_again_starts_at_version_1(store):
    first = await store.commit(ALICE, draft(ttl_s=OVER))
    again = await store.commit(ALICE, draft(2))
    assert (again.version, again.created_at > first.created_at) == (1, True)
    await store.sweep()
    assert await store.record(ALICE) == again


async def test_a_sweep_removes_expired_clients(store, redis):
    await store.commit(ALICE, draft(ttl_s=OVER))
    await store.commit(ClientKey("globex", "a:b"), draft(ttl_s=OVER))
    await store.sweep()
    assert redis.keys() == []


async def test_a_sweep_keeps_all_other_clients(store):
    stay = [
        await store.commit(ClientKey("acme", "a"), draft()),
        await store.commit(ClientKey("acme", "b"), draft(ttl_s=60)),
    ]
    await store.commit(ClientKey("acme", "c"), draft(ttl_s=OVER))
    await store.sweep()
    assert await store.clients("acme", after="", limit=10) == stay


async def test_an_adapt_without_a_time_to_live_removes_the_expiry(store):
    await store.commit(ALICE, draft(1, ttl_s=60))
    kept = await store.commit(ALICE, draft(2))
    assert kept.expires_at is None
    await store.sweep()
    assert await store.record(ALICE) == kept


async def test_a_delete_leaves_no_expiry(store, redis):
    await store.commit(ALICE, draft(ttl_s=60))
    await store.forget(ALICE)
    assert redis.keys() == []
