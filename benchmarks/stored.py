"""Predicts over HTTP for random clients among many in Redis.

One client is adapted over HTTP. Its stored values are copied to the other clients, which is faster than adapting them.
"""

from collections.abc import Iterable
from typing import NamedTuple

import httpx
import redis

from benchmarks.driving import Figures, console, drive, handful
from benchmarks.load import ANY_CLIENT, Load
from benchmarks.peers.network import PROTONET
from benchmarks.services import SERVICES, Running, adapt_body, predict_body
from service.api.auth import OPEN_TENANT
from service.store.checksums import parse_record, parse_version, seal
from service.store.keys import (
    examples_key,
    index_key,
    inputs_key,
    record_key,
    sizes_key,
    state_key,
    usage_key,
    versions_key,
)
from service.store.records import ClientKey, Record, Snapshot

SERVICE = SERVICES["handful"]
FIRST = ClientKey(OPEN_TENANT, f"{PROTONET}-0")
CONNECTIONS = 16
AT_ONCE = 1_000


class First(NamedTuple):
    """The stored values of the adapted client. Both contain its `write`, which each copy replaces by its own."""

    write: bytes
    record: Record
    version: Snapshot
    state: bytes
    size: bytes


def among_stored(counts: Iterable[int], seconds: float) -> dict[int, Figures]:
    """The point at each count of clients, ascending."""
    found, there = {}, 0
    with handful() as (one, redis_url), redis.Redis.from_url(redis_url) as store:
        first = adapt_first(one, store)
        for count in counts:
            for start in range(there, count, AT_ONCE):
                copy(store, first, range(start, min(start + AT_ONCE, count)))
            there, found[count] = count, point(one, count, seconds)
            console.print(f"{count} clients: {found[count]}")
    return found


def adapt_first(one: Running, store: redis.Redis) -> First:
    """Adapt the first client over HTTP."""
    body, headers = adapt_body(SERVICE, PROTONET, 0, 1), {"content-type": SERVICE.content_type}
    httpx.post(f"http://127.0.0.1:{one.port}/adapt", content=body, headers=headers).raise_for_status()
    text, state = store.mget(record_key(FIRST), state_key(FIRST))
    record, version = parse_record(text), parse_version(store.hget(versions_key(FIRST), "1"), 1)
    assert record is not None
    assert isinstance(version, Snapshot)
    size = store.hget(sizes_key(OPEN_TENANT), FIRST.client_id)
    assert isinstance(state, bytes)
    assert isinstance(size, bytes)
    return First(record.write.encode(), record, version, state, size)


def copy(store: redis.Redis, first: First, numbers: Iterable[int]) -> None:
    """Copy the values of the first client to other clients, each with its own `write`, and list them."""
    names = [f"{number:06}" for number in numbers]
    examples, size = map(int, first.size.split())
    with store.pipeline(transaction=False) as pipe:
        for name in names:
            client, write = ClientKey(OPEN_TENANT, name), name.zfill(16)
            pipe.set(record_key(client), seal(first.record.model_copy(update={"write": write})))
            pipe.set(state_key(client), first.state.replace(first.write, write.encode(), 1))
            for key in (examples_key, inputs_key):
                pipe.copy(key(FIRST), key(client))
            pipe.hset(versions_key(client), "1", seal(first.version.model_copy(update={"write": write})))
        pipe.zadd(index_key(OPEN_TENANT), dict.fromkeys(names, 0))
        pipe.hset(sizes_key(OPEN_TENANT), mapping=dict.fromkeys(names, first.size))
        pipe.hincrby(usage_key(OPEN_TENANT), "examples", examples * len(names))
        pipe.hincrby(usage_key(OPEN_TENANT), "bytes", size * len(names))
        pipe.execute()


def point(one: Running, count: int, seconds: float) -> Figures:
    """Rate, processor time and share of cached states, for predicts of random clients among `count`."""
    body = predict_body(SERVICE, PROTONET, 0, 1).replace(FIRST.client_id.encode(), ANY_CLIENT)
    load = Load(one.port, "/predict", SERVICE.content_type, [body] * CONNECTIONS, seconds, among=count)
    before = lookups(one)
    done = drive(one, load)
    hits, misses = (after - earlier for after, earlier in zip(lookups(one), before, strict=True))
    return {
        "rate": round(done["rate"], 2), "cpu_us": round(1e6 / done["per_cpu"], 1),
        "hits": round(hits / max(hits + misses, 1), 3),
    }  # fmt: skip


def lookups(one: Running) -> tuple[float, float]:
    """The hits and the misses of the state cache so far."""
    lines = httpx.get(f"http://127.0.0.1:{one.port}/metrics").raise_for_status().text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    counts = (f'handful_state_cache_lookups_total{{outcome="{outcome}"}}' for outcome in ("hit", "miss"))
    hits, misses = (float(values.get(name, 0)) for name in counts)
    return hits, misses
