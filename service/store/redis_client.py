"""A client of whatever Redis a URL names: one server, the master that Sentinels know, or a Cluster."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

import redis.asyncio as redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisClusterException, RedisError

from service.errors import StoreFull, Unavailable
from service.store.batched_reads import BatchedReads

log = logging.getLogger(__name__)

Client = redis.Redis | RedisCluster
Blob = bytes | str | None

FORMS = """HANDFUL_REDIS_URL names no Redis. What it may be, with rediss for TLS:
  redis://[user:password@]host:port/db
  unix:///path/of/the/socket
  redis+sentinel://[user:password@]host:port,host:port/service
  redis+cluster://[user:password@]host:port,host:port
Options follow as ?ssl_ca_certs=/path&...; in a password, write what is neither letter nor digit as %XX."""


FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""Of Redis or the way to it, as the library raises them."""


class Named(NamedTuple):
    """What a URL says: `kind` is empty for one server."""

    kind: str
    hosts: list[tuple[str, int]]
    service: str
    options: dict[str, Any]


def connect(url: str, timeout_s: float) -> Client:
    """A client, which connects when it is first used. Raises ValueError, which shows nothing of the URL."""
    try:
        named = _parse(url)
        waits = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        return CONNECT[named.kind](named._replace(options=waits | named.options))
    except (KeyError, TypeError, ValueError, RedisClusterException):
        raise ValueError(FORMS) from None  # their words may have a part of the password


async def ping(client: Client) -> None:
    """Return if Redis answers; of a Cluster one node, for the others have clients of their own to fail."""
    options = {"target_nodes": RedisCluster.DEFAULT_NODE} if isinstance(client, RedisCluster) else {}
    await client.ping(**options)


async def close(client: Client) -> None:
    """Give the connections back."""
    await client.aclose()
    if isinstance(client, redis.Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        await client.connection_pool.sentinel_manager.aclose()


def getter(client: Client) -> Callable[[str], Awaitable[Blob]]:
    """GET. Those that are asked for together go together, but in a Cluster: one node that is away would fail all."""
    return client.get if isinstance(client, RedisCluster) else BatchedReads(client.mget).get


def has_slots(client: Client) -> bool:
    """Whether keys of different tags may be on different servers, where one script cannot write them."""
    return isinstance(client, RedisCluster)


class Turns:
    """So many calls at a time, and a call more waits for its turn; Redis's own failures as the service's."""

    def __init__(self, count: int, timeout_s: float) -> None:
        self._free, self._timeout_s = asyncio.Semaphore(count), timeout_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises Unavailable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
            try:
                yield
            finally:
                self._free.release()
        except OutOfMemoryError as error:
            log.error("Redis is full: %s", error)
            raise StoreFull(
                "The store is full: nothing was changed. Forget clients, or give it more memory."
            ) from error
        except FAILURES as error:
            log.warning("Redis failed: %s: %s", type(error).__name__, error)
            raise Unavailable(f"The store does not answer ({type(error).__name__}): try again.") from error


def _parse(url: str) -> Named:
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    user, at, hosts = parts.netloc.rpartition("@")
    first, *_ = hosts.split(",")
    options = dict(parse_url(SplitResult(scheme, user + at + first, parts.path, parts.query, "").geturl()))
    if kind:  # how each of its servers is reached; where they are is said by `hosts`
        tls = {"ssl": True} if options.pop("connection_class", None) is SSLConnection else {}
        options = {key: value for key, value in options.items() if key not in ("host", "port")} | tls
    return Named(kind, [_address(host, kind) for host in hosts.split(",")], parts.path.strip("/"), options)


def _address(host: str, kind: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if kind and not parts.hostname:
        raise ValueError
    return parts.hostname or "", parts.port or (26379 if kind == "sentinel" else 6379)


def _once() -> Retry:
    """A pooled connection may have died with a Redis that is back by now."""
    return Retry(NoBackoff(), 1)


def _server(named: Named) -> Client:
    pool = redis.ConnectionPool(retry=_once(), **named.options)
    _check(pool)
    return redis.Redis.from_pool(pool)


def _check(pool: redis.ConnectionPool) -> None:
    """Of an option that there is not the library would tell only when it connects."""
    pool.connection_class(**pool.connection_kwargs)


def _sentinel(named: Named) -> Client:
    if not named.service:
        raise ValueError
    user = {name: named.options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared = {key: value for key, value in named.options.items() if key.startswith(("socket_", "ssl"))}
    sentinel = Sentinel(named.hosts, sentinel_kwargs={**shared, **user, "retry": _once()})  # type: ignore[no-untyped-call]
    client = cast("redis.Redis", sentinel.master_for(named.service, retry=_once(), **named.options))
    for pool in (client.connection_pool, sentinel.sentinels[0].connection_pool):
        _check(pool)
    return client


def _cluster(named: Named) -> Client:
    nodes = [ClusterNode(host, port) for host, port in named.hosts]
    return _Cluster(
        startup_nodes=nodes,
        require_full_coverage=False,  # the clients of nodes that are there are answered
        reinitialize_steps=0,  # else every fifth slot that has moved closes the connections of all calls under way
        retry=_once(),
        **named.options,
    )


class _Cluster(RedisCluster):
    """Begins with any node: the library's own asks the first which commands there are, and gives up if it is away."""

    async def initialize(self, *options: Any, **named: Any) -> RedisCluster:
        try:
            return await super().initialize(*options, **named)
        except (redis.ConnectionError, redis.TimeoutError):
            for first in self.get_primaries()[:1]:
                self.nodes_manager.move_node_to_end_of_cached_nodes(first.name)
            return await super().initialize(*options, **named)


CONNECT: dict[str, Callable[[Named], Client]] = {"": _server, "sentinel": _sentinel, "cluster": _cluster}
