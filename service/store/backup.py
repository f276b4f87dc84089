"""Save all that must not be lost to a file, and restore it: from any Redis or Cluster to any other."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from service.store.backup_file import Value, Writer, check, groups
from service.store.connect import Client
from service.store.keys import (
    client_of_record_key,
    examples_key,
    inputs_key,
    record_key,
    support_key,
    versions_key,
)
from service.store.redis_client import reply

AT_ONCE = 16
"""Groups that are read or written at the same time."""
SLOTS = 16384
OURS = "handful:*"
LASTING = record_key, versions_key, examples_key, inputs_key, support_key
OF_A_CLIENT = re.compile(rb"handful:\{[^:]+:.+\}:(versions|examples|inputs|support|state|past-state|queries(:.*)?)")
PASSING = re.compile(rb"handful:\{(\..+\}:.*|[^:]+\}:rate)")
"""The probes of the readiness check, and what is left of a rate."""

DUMP = """
local found = {}
for place, key in ipairs(KEYS) do
    found[place] = {redis.call('DUMP', key), redis.call('PTTL', key)}
end
return found
"""
"""The values of keys in one slot, at one moment."""


async def save(client: Client, path: Path) -> int:
    """Write the values that must not be lost to a file, and return the number of clients in it.

    The values of a client are of one moment. States and kept queries are left out: states are rebuilt. The service may
    run meanwhile. What changes meanwhile is in the file or not.

    Raises:
        ValueError: A part of the Cluster is away, or slots were moved meanwhile.
    """
    before, clients = await _slots(client), 0
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        writer = Writer(file)
        async for names in _groups(client):
            for group in await asyncio.gather(*(_values(client, keys) for keys in names)):
                clients += _has_client(group)
                writer.write(group)
        writer.end()
        os.fsync(file.fileno())
    if await _slots(client) != before:
        part.unlink()
        raise ValueError("Slots of the Cluster were moved during the backup, so it may lack clients. Make it again.")
    part.rename(path)
    return clients


async def restore(client: Client, path: Path) -> int:
    """Write the values of a file that have not expired to an empty Redis, and return the number of clients.

    Raises:
        ValueError: The file is not whole, or the Redis has values of Handful, or refuses those of the file.
    """
    check(path)
    await _slots(client)
    async for key in client.scan_iter(match=OURS, count=1000):
        raise ValueError(f"This Redis is in use: it has {key[:100]!r}. Stop the service and restore to an empty Redis.")
    clients, waiting = 0, groups(path)
    while some := list(islice(waiting, AT_ONCE)):
        await asyncio.gather(*(_put(client, group) for group in some))
        clients += sum(_has_client(group) for group in some)
    return clients


def _has_client(group: list[Value]) -> bool:
    return bool(group and client_of_record_key(group[0].key))


async def _slots(client: Client) -> list[tuple[int, str]]:
    """The node of each slot of a Cluster. Raises ValueError if slots have no node."""
    if not isinstance(client, RedisCluster):
        return []
    await client.initialize()
    found = sorted((slot, nodes[0].name) for slot, nodes in client.nodes_manager.slots_cache.items())
    if len(found) < SLOTS:
        raise ValueError(f"{SLOTS - len(found)} slots of the Cluster have no node. Repair it first.")
    return found


async def _groups(client: Client) -> AsyncIterator[list[list[str]]]:
    """Groups of keys, `AT_ONCE` at a time. A scan may name a key more than once."""
    seen: set[bytes] = set()
    waiting: list[list[str]] = []
    async for key in client.scan_iter(match=OURS, count=1000):
        if key in seen or OF_A_CLIENT.fullmatch(key) or PASSING.match(key):
            continue
        seen.add(key)
        of = client_of_record_key(key)
        waiting.append([name(of) for name in LASTING] if of else [key.decode()])
        if len(waiting) == AT_ONCE:
            yield waiting
            waiting = []
    yield waiting


async def _values(client: Client, keys: list[str]) -> list[Value]:
    """The values of keys of one slot that exist."""
    found: list[Any] = await reply(client.eval(DUMP, len(keys), *keys))
    now = int(time.time() * 1000)
    return [
        Value(key.encode(), dump, now + left if left >= 0 else None)
        for key, (dump, left) in zip(keys, found, strict=True)
        if dump is not None
    ]


async def _put(client: Client, group: list[Value]) -> None:
    now = int(time.time() * 1000)
    for value in group:
        if value.expires_ms is not None and value.expires_ms <= now:
            continue
        left = 0 if value.expires_ms is None else value.expires_ms - now
        try:
            await reply(client.restore(value.key, left, value.dump))
        except ResponseError as error:
            raise ValueError(f"Redis refuses {value.key[:100]!r}: {error}. Is it older than the saved one?") from error
