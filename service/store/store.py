"""Examples, versions and states in Redis.

The examples are the truth and are kept. The state is a cache and expires.
"""

from collections.abc import Sequence
from pathlib import Path

from redis.exceptions import ResponseError

from service.arrays import Array, Arrays
from service.errors import CorruptRecord
from service.store import backup, connect, redis_client
from service.store.answers import AnsweredBefore, Answers
from service.store.checksums import corrupt, parse_record, parse_state
from service.store.commit import AlreadyThere, Commits, VersionMoved
from service.store.copies import Copies
from service.store.expiry import Sweep
from service.store.key_ring import KeyRing
from service.store.keys import record_key
from service.store.listing import Lists
from service.store.probe import probe
from service.store.queries import Bounds, Queries
from service.store.quotas import UNLIMITED, Quota, QuotaBook
from service.store.rates import Rates
from service.store.reading import Choose, Contents, Reader, everything, known
from service.store.records import Adapted, Blob, ClientKey, Draft, Gone, Record, RequestKey, StateKey
from service.store.redis_client import is_other_type
from service.store.removal import Removal
from service.store.states import States
from service.store.tenant_data import TenantData
from service.store.usage import Usage

CALLS = 64
"""Maximum concurrent calls to Redis; further ones wait."""
FEW = Bounds(1000, 16 * 2**20)
"""The queries of each client that are kept by default."""

__all__ = ["AlreadyThere", "AnsweredBefore", "Store", "VersionMoved"]


class Store:
    """The clients in one Redis. Every method raises Unavailable if Redis fails, and the errors that it names."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        replicas: int = 0,
        state_ttl_s: int,
        versions: int = 10,
        answer_ttl_s: int = 86400,
        answer_bytes: int = 16 * 2**20,
        mark_s: int = 30,
        quota: Quota = UNLIMITED,
        queries: Bounds = FEW,
    ) -> None:
        """Create the client; it connects at its first use.

        Args:
            url: The URL of the Redis.
            timeout_s: Seconds to wait for a reply.
            replicas: How many replicas of Redis must have a write before it is acknowledged.
            state_ttl_s: Seconds to keep an unused state.
            versions: Versions of each client to keep.
            answer_ttl_s: Seconds to keep the answer to a request with an idempotency key.
            answer_bytes: Maximum bytes of such answers for each tenant.
            mark_s: Seconds after which such a request can be sent again if it was not answered.
            quota: What a tenant may use that has no quota of its own.
            queries: How many queries of each client to keep.

        Raises:
            ValueError: The URL is not that of a Redis.
        """
        self._redis = connect.connect(url, timeout_s)
        self._get = redis_client.getter(self._redis)
        self._copies = Copies(self._redis, replicas, timeout_s / 2)  # the other half is left to the reply
        self._turn = redis_client.Turns(self._redis, CALLS, timeout_s).turn
        apart = redis_client.Turns(self._redis, CALLS, timeout_s).turn  # calls within these may need the others
        self.keys = KeyRing(self._redis, apart, self._copies)
        self._lists = Lists(self._redis)
        self._sweep = Sweep(self._redis, self._lists)
        self._answers = Answers(self._redis, kept_s=answer_ttl_s, limit=answer_bytes, mark_s=mark_s)
        self.quotas = QuotaBook(self._redis, apart, self._copies, quota)
        self.rates = Rates(self._redis, apart)
        self.usage = Usage(self._redis, apart, self.quotas)
        self._commits = Commits(
            self._redis, self._copies, self._get, self._lists, self._answers, self.usage, state_ttl_s, versions
        )
        self.tenant_data = TenantData(self._redis, apart, self._lists, self.usage)
        self._reader = Reader(self._redis, self._text)
        self._states = States(self._redis, self._reader, state_ttl_s)
        self._removal = Removal(self._copies, self._lists, self.usage)
        self._queries = Queries(self._redis, queries)

    async def ping(self) -> None:
        """Run every command that the service needs. The error names a refused command."""
        async with self._turn():
            await probe(self._redis, self._copies)

    async def save(self, file: Path) -> int:
        """Write what must not be lost to a file, and return the number of clients. Raises ValueError."""
        async with self._turn():
            return await backup.save(self._redis, file)

    async def restore(self, file: Path) -> int:
        """Write the values of such a file to an empty Redis, and return the number of clients. Raises ValueError."""
        async with self._turn():
            return await backup.restore(self._redis, file)

    async def close(self) -> None:
        """Close all connections."""
        await self.quotas.close()
        await connect.close(self._redis)

    async def record(self, client: ClientKey) -> Record:
        """The record of a client. Raises UnknownClient and CorruptRecord."""
        async with self._turn():
            return known(client, parse_record(await self._text(client)))

    async def _text(self, client: ClientKey) -> Blob:
        """The stored record. Raises CorruptRecord for a value of another type, which MGET reads as None."""
        try:
            return await self._get(record_key(client)) or await self._redis.get(record_key(client))
        except ResponseError as error:
            if is_other_type(error):
                raise corrupt("record") from None
            raise

    async def version(self, client: ClientKey, number: int | None) -> tuple[Record, Record]:
        """The current record, and that of a version, by default the current one.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: It cannot be read.
        """
        async with self._turn():
            return await self._reader.version(client, number)

    async def versions(self, client: ClientKey) -> list[Record | Gone]:
        """The kept versions, the latest first, and receipts of removed ones. Raises UnknownClient, CorruptRecord."""
        async with self._turn():
            return await self._reader.versions(client)

    async def contents(self, client: ClientKey, version: int | None = None, choose: Choose = everything) -> Contents:
        """A version, by default the current one, with all or some of its examples.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: It cannot be read.
        """
        async with self._turn():
            return await self._reader.contents(client, version, choose)

    async def example(self, client: ClientKey, name: str) -> Contents:
        """The current version with the example of this id alone, or with none if there is no such example. Raises
        UnknownClient, CorruptRecord."""
        async with self._turn():
            return await self._reader.example(client, name)

    async def state(self, key: StateKey, record: Record, *, past: bool = False) -> Arrays | None:
        """A state, of the current or of a `past` version, with a renewed expiry; None if it is missing or corrupt."""
        async with self._turn():
            found = await self._states.renewed(key.client, record, past=past)
        return parse_state(key, found)

    async def save_state(self, key: StateKey, record: Record, state: Arrays) -> None:
        """Store a rebuilt state, unless its version is gone."""
        async with self._turn():
            await self._states.save(key, record, state)

    async def commit(
        self, client: ClientKey, draft: Draft, *, after: Record | None = None, new: bool = False
    ) -> Record:
        """Write a client's next version in one step.

        Raises:
            VersionMoved: `after` is given and is no longer the client's version. Nothing was written.
            AlreadyThere: `new` is set and the client exists. Nothing was written.
            AnsweredBefore: The request of the draft was carried out before. Nothing was written.
            QuotaExceeded, StorageExceeded, Unauthorized: The tenant may not store so much. Nothing was written.
        """
        async with self._turn():
            return await self._commits.write(client, draft, after, new=new)

    async def forget(self, client: ClientKey) -> Record | None:
        """Remove a client in one step. Returns its record; None if that is corrupt. Raises UnknownClient."""
        async with self._turn():
            text = await self._removal.remove(client)
        try:
            return known(client, parse_record(text))
        except CorruptRecord:
            return None

    async def forget_version(self, client: ClientKey, record: Record) -> None:
        """Remove a client in one step, if the record is its current one. Raises VersionMoved."""
        async with self._turn():
            text = await self._text(client)
            current = parse_record(text)
            if current is None or current.write != record.write:
                raise VersionMoved
            if not await self._removal.remove_version(client, text):
                raise VersionMoved

    async def keep_queries(self, client: ClientKey, record: Record, ids: Sequence[str], inputs: Array) -> int:
        """Keep the last of queries (q, *input) under ids, for as long as the record says. Returns how many were kept:
        none if the client has changed."""
        async with self._turn():
            return await self._queries.keep(client, record, ids, inputs)

    async def query(self, client: ClientKey, query: str) -> Array | None:
        """A kept query (1, *input); None if it is not there."""
        async with self._turn():
            return await self._queries.get(client, query)

    async def sweep(self) -> None:
        """Remove expired clients."""
        async with self._turn():
            await self._sweep.run()

    async def count(self, tenant: str) -> int:
        """The number of clients of a tenant, including those that expired since the last sweep."""
        async with self._turn():
            return await self._lists.count(tenant)

    async def clients(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients with ids after `after`, sorted by id, without corrupt ones."""
        async with self._turn():
            return await self._lists.page(tenant, after=after, limit=limit)

    async def claim(self, client: ClientKey, request: RequestKey) -> Adapted | str:
        """Mark a request as running, or return its answer. Raises KeyReused and RequestInProgress."""
        async with self._turn():
            claimed = await self._answers.claim(client.tenant, request)
            if isinstance(claimed, Adapted):  # perhaps of an attempt that has not reached the replicas
                await self._copies.confirm(record_key(client))
            return claimed

    async def release(self, client: ClientKey, request: RequestKey, mark: str) -> None:
        """Remove the mark of a failed request."""
        async with self._turn():
            await self._answers.release(client.tenant, request, mark)
