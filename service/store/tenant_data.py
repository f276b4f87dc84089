"""All that is stored of a tenant: its list of clients, its counts, and what is left when it has no clients."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from service.store.connect import Client
from service.store.keys import rest_keys
from service.store.listing import Lists
from service.store.records import ClientKey
from service.store.usage import Usage

PAGE = 200
"""Clients that are counted at a time."""


class TenantData:
    """The tenants in one Redis. Every method raises Unavailable if Redis fails."""

    def __init__(
        self, redis: Client, turn: Callable[[], AbstractAsyncContextManager[None]], lists: Lists, usage: Usage
    ) -> None:
        self._redis, self._turn, self._lists, self._usage = redis, turn, lists, usage
        self._differed: dict[str, tuple[int, int]] = {}

    async def client_ids(self, tenant: str, limit: int, *, after: str = "") -> list[str]:
        """Up to `limit` ids of a tenant's clients after `after`, sorted, also of corrupt ones."""
        async with self._turn():
            return await self._lists.ids(tenant, limit, after)

    async def recount(self, tenant: str) -> None:
        """Count again what a tenant stores if its lists differ in number, as after an upgrade or a lost value.

        A difference that stays is looked at once, because this reads every client.
        """
        counted = await self._usage.clients(tenant)
        async with self._turn():
            found = counted, await self._lists.count(tenant)
        if found[0] == found[1] or self._differed.get(tenant) == found:
            return
        self._differed[tenant] = found
        listed, after = set[str](), ""
        while ids := await self.client_ids(tenant, PAGE, after=after):
            await self._count_again(tenant, ids)
            listed |= {*ids}
            after = ids[-1]
        await self._usage.drop_others(tenant, listed)

    async def _count_again(self, tenant: str, ids: list[str]) -> None:
        """Count clients by their records, and unlist those that have none."""
        async with self._turn():
            for client in (ClientKey(tenant, client_id) for client_id in ids):
                if not await self._usage.count_again(client):
                    await self._lists.remove(client)

    async def drop_rest(self, tenant: str) -> None:
        """Remove what is stored of a tenant beside its clients, keys and quota."""
        async with self._turn():
            for key in rest_keys(tenant):
                await self._redis.delete(key)
