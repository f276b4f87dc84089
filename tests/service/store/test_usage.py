"""What a tenant stores is counted exactly, and its quota is never exceeded."""

import asyncio
import contextlib
import random

import pytest

from service.errors import QuotaExceeded, StorageExceeded, Unauthorized, UnknownClient
from service.store.keys import index_key, record_key, sizes_key, usage_key
from service.store.records import ClientKey
from service.store.usage import Stored
from service.use_cases.tenants import Tenants
from tests.service.redises import EITHER
from tests.service.supports import ALICE, draft

pytestmark = [pytest.mark.anyio, EITHER]

EACH = 8
"""Bytes of the input of a draft."""


def named(name: str) -> ClientKey:
    return ClientKey("acme", name)


async def counted_anew(store) -> Stored:
    """What the records say."""
    records = await store.clients("acme", after="", limit=1000)
    return Stored(len(records), sum(each.examples for each in records), sum(each.bytes for each in records))


async def test_clients_examples_and_bytes_are_counted(store):
    await store.commit(ALICE, draft(3))
    await store.commit(named("bob"), draft(2))
    assert await store.usage.stored("acme") == (2, 5, 5 * EACH)
    await store.forget(ALICE)
    assert await store.usage.stored("acme") == (1, 2, 2 * EACH)
    await store.forget(named("bob"))
    assert await store.usage.stored("acme") == (0, 0, 0)


async def test_bytes_count_the_earlier_versions_that_are_kept(store):
    first = await store.commit(ALICE, draft(1))
    await store.commit(ALICE, draft(1), after=first)
    assert (await store.usage.stored("acme")).examples == 1
    assert await store.usage.stored("acme") == await counted_anew(store)


async def test_random_histories_are_counted_as_their_records_say(store, redis):
    chance = random.Random(3)

    async def change(_: int) -> None:
        client = named(f"client-{chance.randrange(4)}")
        if chance.random() < 0.3:
            with contextlib.suppress(UnknownClient):
                await store.forget(client)
        else:
            await store.commit(client, draft(chance.randrange(1, 6), ttl_s=-1 if chance.random() < 0.2 else None))

    for _ in range(5):
        await asyncio.gather(*(change(each) for each in range(6)))
        await store.sweep()
    assert await store.usage.stored("acme") == await counted_anew(store)


@pytest.mark.parametrize(("field", "limit", "error"), [
    ("clients", 3, QuotaExceeded), ("examples", 6, QuotaExceeded), ("bytes", 6 * EACH, StorageExceeded)
])  # fmt: skip
async def test_concurrent_commits_fill_a_quota_exactly_and_the_rest_is_refused(store, redis, field, limit, error):
    await store.quotas.set("acme", {field: limit})
    commits = [store.commit(named(str(number)), draft(2)) for number in range(8)]
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, Exception)]
    assert {type(each) for each in refused} == {error}
    assert len(refused) == 5
    assert str(limit) in refused[0].detail
    assert await store.usage.stored("acme") == (3, 6, 6 * EACH) == await counted_anew(store)
    absent = [number for number, each in enumerate(outcomes) if isinstance(each, Exception)]
    assert not any(redis.exists(record_key(named(str(number)))) for number in absent)


async def test_what_shrinks_is_never_refused(store):
    for number in range(3):
        await store.commit(named(str(number)), draft(3))
    await store.quotas.set("acme", {"clients": 1, "examples": 1, "bytes": 1})
    await store.commit(named("0"), draft(1)._replace(removed=()))
    await store.forget(named("1"))
    with pytest.raises(QuotaExceeded):
        await store.commit(named("2"), draft(4))
    assert (await store.usage.stored("acme")).clients == 2


async def test_changes_of_a_quota_at_the_same_moment_are_all_made(store):
    fields = {"clients": 3, "examples": 50, "bytes": 1000, "burst": 7}
    await asyncio.gather(*(Tenants(store).set_quota("acme", {name: fields[name]}) for name in fields))
    quota = await store.quotas.of("acme")
    assert {name: getattr(quota, name) for name in fields} == fields


async def test_a_quota_of_one_tenant_is_not_that_of_another(store):
    await store.quotas.set("acme", {"clients": 0})
    with pytest.raises(QuotaExceeded):
        await store.commit(ALICE, draft(1))
    await store.commit(ClientKey("globex", "alice"), draft(1))
    assert await store.usage.stored("globex") == (1, 1, EACH)
    assert await store.usage.stored("acme") == (0, 0, 0)


@pytest.mark.parametrize("key", [sizes_key("acme"), usage_key("acme")])
async def test_lost_or_damaged_counts_are_counted_again(store, redis, key):
    await store.commit(ALICE, draft(2))
    redis.set(key, "no hash")
    await store.commit(named("bob"), draft(3))
    await store.tenant_data.recount("acme")
    assert await store.usage.stored("acme") == (2, 5, 5 * EACH)


async def test_lists_and_counts_that_differ_are_made_to_agree(store, redis):
    await store.commit(ALICE, draft(2))
    redis.zadd(index_key("acme"), {"bob": 0, "carol": 0})  # listed, and not there
    redis.set(record_key(named("dora")), b"corrupt")
    redis.zadd(index_key("acme"), {"dora": 0})
    await store.tenant_data.recount("acme")
    assert await store.usage.stored("acme") == (2, 2, 2 * EACH)
    assert redis.zrange(index_key("acme"), 0, -1) == [b"alice", b"dora"]
    redis.hset(sizes_key("acme"), "nobody", "1 1")
    await store.tenant_data.recount("acme")
    assert (await store.usage.stored("acme")).clients == 2


async def test_deleting_a_tenant_leaves_nothing_of_it_and_spares_the_others(store, redis):
    for number in range(5):
        await store.commit(named(str(number)), draft(2))
    await store.commit(ClientKey("globex", "alice"), draft(1))
    redis.set(record_key(named("3")), b"corrupt")
    receipt = await Tenants(store).delete("acme")
    assert (receipt.clients, receipt.examples, receipt.bytes, receipt.keys) == (5, 10, 10 * EACH, 0)
    assert [key for key in redis.keys("*") if b"acme" in key] == [usage_key("acme").encode()]  # it expires
    assert redis.ttl(usage_key("acme")) > 0
    assert await store.usage.stored("globex") == (1, 1, EACH)
    with pytest.raises(Unauthorized):
        await store.commit(ALICE, draft(1))  # a request that ran meanwhile
    await store.usage.reopen("acme")
    await store.commit(ALICE, draft(1))


async def test_a_request_over_the_quota_is_refused_before_any_work(store):
    await store.quotas.set("acme", {"examples": 3})
    await store.commit(ALICE, draft(2))
    await store.usage.check_room(ALICE, 3, 0)
    with pytest.raises(QuotaExceeded):
        await store.usage.check_room(ALICE, 4, 0)
    with pytest.raises(QuotaExceeded):
        await store.usage.check_room(named("bob"), 2, 0)
