"""Keys are made, rotated and revoked in one step each."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.errors import Conflict, UnknownKey, Unprocessable
from service.use_cases.keys import KEPT, Keys
from tests.service.redises import EITHER

pytestmark = [pytest.mark.anyio, EITHER]


async def ids(keys: Keys, tenant: str | None = None) -> list[str]:
    return [listed.key.id for listed in await keys.list(tenant)]


async def test_keys_are_listed_by_tenant_without_their_secrets(store):
    keys = Keys(store)
    one, two = await keys.create("acme"), await keys.create("globex", ("read",), 60)
    assert await ids(keys) == [one.key.id, two.key.id]
    assert await ids(keys, "acme") == [one.key.id]
    assert one.secret not in str(await keys.list())
    assert await store.keys.tenants() == ["acme", "globex"]


async def test_at_most_two_keys_of_a_line_are_valid(store):
    keys = Keys(store)
    newest, valid = await keys.create("acme", ("read",), 1000), []
    for _ in range(3):
        newest = await keys.rotate(newest.key.id)
        valid.append(len(await ids(keys)))
    assert valid == [2, 2, 2]
    assert newest.key.scopes == ["read"]


async def test_a_key_is_rotated_once_also_by_concurrent_requests(store):
    keys = Keys(store)
    first = await keys.create("acme")
    outcomes = await asyncio.gather(*(keys.rotate(first.key.id) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["Conflict"] * 4 + ["NewKey"]
    assert len(await ids(keys)) == 2


async def test_an_overlap_ends_the_old_key(store):
    keys = Keys(store)
    first = await keys.create("acme")
    await keys.rotate(first.key.id, overlap_s=3600)
    old, new = [listed.key for listed in await keys.list()]
    assert (old.expires_at is not None, new.expires_at) == (True, None)


async def test_expired_keys_are_kept_for_a_week_and_then_removed(store):
    keys = Keys(store)
    old, recent, valid = [(await keys.create("acme", expires_s=60)).key for _ in range(3)]
    newer = await keys.rotate(old.id)
    long_ago = datetime.now(UTC) - KEPT
    before = (await store.keys.find(old.id)).key
    ended = (
        before.model_copy(update={"expires_at": long_ago}),
        recent.model_copy(update={"expires_at": long_ago + timedelta(minutes=1)}),
    )
    assert await store.keys.change([before, recent], ended)
    await keys.prune()
    assert await ids(keys) == [recent.id, valid.id, newer.key.id]
    await keys.rotate(newer.key.id)


async def test_after_the_new_key_was_revoked_the_old_one_can_be_rotated(store):
    keys = Keys(store)
    first = await keys.create("acme")
    second = await keys.rotate(first.key.id)
    with pytest.raises(Conflict, match=second.key.id):
        await keys.rotate(first.key.id)
    await keys.revoke(second.key.id)
    await keys.rotate(first.key.id)


async def test_a_revoked_key_is_unknown_and_the_service_stays_closed(store):
    keys = Keys(store)
    key = (await keys.create("acme")).key
    assert not (await store.keys.find("")).key
    await keys.revoke(key.id)
    with pytest.raises(UnknownKey):
        await keys.revoke(key.id)
    assert (await store.keys.find(key.id)) == (True, None)


@pytest.mark.parametrize("wrong", [("a b",), ("",), ("acme", ()), ("acme", ("write",)), ("acme", ("read",), 0)])
async def test_invalid_keys_are_refused_and_the_service_stays_open(store, wrong):
    with pytest.raises(Unprocessable):
        await Keys(store).create(*wrong)
    assert (await store.keys.find("")) == (False, None)


async def test_nobody_can_use_a_corrupt_key(store, redis):
    keys = Keys(store)
    key = (await keys.create("acme")).key
    text = redis.hget("handful:{handful:expiries}:keys", key.id)
    redis.hset("handful:{handful:expiries}:keys", key.id, text.replace(b'"acme"', b'"evil"'))
    assert (await store.keys.find(key.id)) == (True, None)


async def test_a_key_that_is_given_in_place_of_its_id_is_not_repeated(store):
    keys = Keys(store)
    secret = (await keys.create("acme")).secret
    with pytest.raises(UnknownKey) as refusal:
        await keys.revoke(secret)
    assert secret.rpartition("_")[2][:8] not in str(refusal.value)
