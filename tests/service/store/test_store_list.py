"""The list of a tenant's clients."""

import asyncio

import pytest

from service.store.keys import index_key, record_key
from service.store.records import ClientKey
from service.store.store import Store
from tests.service.redises import EITHER
from tests.service.supports import draft

pytestmark = [pytest.mark.anyio, EITHER]

IDS = ["0", "A", "_", "a", "a.b", "a:b", "b", "zz"]  # in the order of their bytes


async def listed(store: Store, tenant: str = "acme", after: str = "", limit: int = 100) -> list[str]:
    return [record.client_id for record in await store.clients(tenant, after=after, limit=limit)]


async def add(store: Store, ids: list[str], tenant: str = "acme") -> None:
    for client_id in ids:
        await store.commit(ClientKey(tenant, client_id), draft())


async def test_a_new_list_is_empty(store):
    assert await listed(store) == []


async def test_clients_are_listed_once_each_by_id(store):
    await add(store, IDS[::-1] + IDS)
    assert await listed(store) == IDS


async def test_clients_are_counted_once_each(store):
    await add(store, IDS + IDS)
    await add(store, ["another's"], tenant="other")
    assert [await store.count(tenant) for tenant in ("acme", "other", "nobody")] == [len(IDS), 1, 0]


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 9])
async def test_all_pages_make_the_whole_list(store, limit):
    await add(store, IDS)
    pages, after = [], ""
    while page := await listed(store, after=after, limit=limit):
        pages, after = [*pages, *page], page[-1]
        assert len(page) <= limit
    assert pages == IDS


async def test_a_page_can_start_after_a_deleted_client(store):
    await add(store, ["a", "c"])
    assert await listed(store, after="b") == ["c"]


@pytest.mark.parametrize(("one", "other"), [("acme", "other"), ("acme", "acme-x"), ("a", "A")])
async def test_tenants_see_only_their_own_clients(store, one, other):
    await add(store, ["a", "b"], one)
    await add(store, ["b", "c"], other)
    assert (await listed(store, one), await listed(store, other)) == (["a", "b"], ["b", "c"])


async def test_deleted_clients_leave_the_list(store):
    await add(store, ["a", "b"])
    await store.forget(ClientKey("acme", "a"))
    assert await listed(store) == ["b"]


async def test_expired_clients_are_not_listed_and_pages_stay_full(store):
    await add(store, IDS)
    for gone in ("A", "a", "zz"):
        await store.commit(ClientKey("acme", gone), draft(ttl_s=-1))
    assert await listed(store, limit=4) == ["0", "_", "a.b", "a:b"]
    assert await listed(store) == ["0", "_", "a.b", "a:b", "b"]


async def test_an_expired_client_that_is_adapted_again_is_listed(store):
    await store.commit(ClientKey("acme", "a"), draft(ttl_s=-1))
    assert await listed(store) == []
    await add(store, ["a"])
    assert await listed(store) == ["a"]


async def test_a_client_without_a_record_is_unlisted(store, redis):
    await add(store, ["a", "b"])
    redis.delete(record_key(ClientKey("acme", "a")))
    assert await listed(store) == ["b"]
    assert redis.zcard(index_key("acme")) == 1


async def test_an_adapted_client_is_listed_after_concurrent_lists_and_deletes(store):
    async def come_and_go(client_id: str) -> None:
        for _ in range(10):
            await store.commit(ClientKey("acme", client_id), draft())
            await store.forget(ClientKey("acme", client_id))
        await store.commit(ClientKey("acme", client_id), draft())

    async def look() -> None:
        while not moving.done():
            await listed(store)

    moving = asyncio.gather(*(come_and_go(client_id) for client_id in "abc"))
    await asyncio.gather(moving, look(), look())
    assert await listed(store) == ["a", "b", "c"]
