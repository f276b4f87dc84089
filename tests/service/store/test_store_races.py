"""Others that come in the middle of what the store does, one command after another."""

import pytest

from service.errors import UnknownClient
from service.store import redis_client
from service.store.keys import EXPIRIES_KEY
from service.store.store import Store
from tests.service.relays import Overtakes, playing_redis
from tests.service.supports import ALICE, draft

pytestmark = pytest.mark.anyio

OVER = -1
"""Time to live of an expired client, in seconds."""


@pytest.fixture(params=[False, True], ids=["one server", "lists elsewhere"], autouse=True)
def _lists_elsewhere(request, monkeypatch):
    monkeypatch.setattr(redis_client, "has_slots", lambda _: request.param)


@pytest.mark.parametrize("moment", [b"\r\nGET\r\n", b"EVAL", b"ZREM"])
async def test_a_client_that_is_adapted_during_a_sweep_keeps_its_expiry(store, redis_url, redis, moment):
    await store.commit(ALICE, draft(1, ttl_s=OVER))
    relay = Overtakes(redis_url, moment, lambda: store.commit(ALICE, draft(2, ttl_s=60)))
    async with playing_redis(relay) as url:
        sweeper = Store(url, timeout_s=20, state_ttl_s=1000)
        await sweeper.sweep()
        await sweeper.close()
    assert relay.met
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
    relay = Overtakes(redis_url, moment, lambda: store.forget(ALICE))
    async with playing_redis(relay) as url:
        reader = Store(url, timeout_s=20, state_ttl_s=1000)
        with pytest.raises(UnknownClient):
            await read(reader)
        await reader.close()
    assert relay.met
