"""Clients as a whole: show one, list those of a tenant, forget one."""

from collections.abc import Collection

from service.store.records import ClientKey, Record
from service.use_cases.learning import Learning, check_expected, retried


class Clients:
    """The use cases, for the clients of all tenants."""

    def __init__(self, learning: Learning) -> None:
        self._engine, self._store = learning.engine, learning.store

    async def show(self, client: ClientKey) -> Record:
        """The record of a client. Raises UnknownClient."""
        return await self._store.record(client)

    async def page(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients of a tenant with ids after `after`, sorted by id."""
        return await self._store.clients(tenant, after=after, limit=limit)

    async def forget(self, client: ClientKey, expected: Collection[str] | None = None) -> None:
        """Remove everything that is stored of a client, even if it is corrupt.

        Raises:
            UnknownClient: There is no such client.
            PreconditionFailed: The client is not as expected.
        """
        if expected is None:
            record = await self._store.forget(client)
        else:
            record = await retried(lambda: self._forget_expected(client, expected))
        if record is not None:
            self._engine.evict(record.write)

    async def _forget_expected(self, client: ClientKey, expected: Collection[str]) -> Record:
        record = await self._store.record(client)
        check_expected(record, expected)
        await self._store.forget_version(client, record)
        return record
