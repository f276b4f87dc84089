"""A client of the Redis that a URL names: one server, the master that Sentinels know, or a Cluster."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

import redis.asyncio as redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisClusterException, RedisError, ResponseError

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
"""What the library raises when Redis or the connection fails."""


class Named(NamedTuple):
    """A parsed URL. `kind` is empty for one server."""

    kind: str
    hosts: list[tuple[str, int]]
    service: str
    options: dict[str, Any]


def connect(url: str, timeout_s: float) -> Client:
    """A client, which connects when it is first used. Raises ValueError, which does not show the URL."""
    try:
        named = _parse(url)
        waits = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        return CONNECT[named.kind](named._replace(options=waits | named.options))
    except (KeyError, TypeError, ValueError, RedisClusterException):
        raise ValueError(FORMS) from None  # the cause may show a part of the password


async def close(client: Client) -> None:
    """Give the connections back."""
    await client.aclose()
    if isinstance(client, redis.Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        await client.connection_pool.sentinel_manager.aclose()


def getter(client: Client) -> Callable[[str], Awaitable[Blob]]:
    """GET, where concurrent calls share one command. In a Cluster they do not: one node that is down would fail all.

    On one server a value of another type reads as None."""
    return client.get if isinstance(client, RedisCluster) else BatchedReads(client.mget).get


def has_slots(client: Client) -> bool:
    """Whether keys of different hash tags may be on different servers, so that one script cannot write them."""
    return isinstance(client, RedisCluster)


def is_other_type(error: ResponseError) -> bool:
    """Whether a command was refused because the key holds a value of another type."""
    return str(error).startswith("WRONGTYPE")


_repeatable: ContextVar[bool] = ContextVar("repeatable", default=True)


@contextmanager
def no_retry() -> Iterator[None]:
    """Send commands once. A command whose reply was lost may have run, so only idempotent ones may be repeated."""
    before = _repeatable.set(False)
    try:
        yield
    finally:
        _repeatable.reset(before)


class _Once(Retry):
    """Retries once, because a pooled connection may belong to a Redis that has restarted; never inside `no_retry`."""

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1)

    def get_retries(self) -> int:
        return super().get_retries() if _repeatable.get() else 0

    async def call_with_retry(self, *args: Any, **named: Any) -> Any:
        if _repeatable.get():
            return await super().call_with_retry(*args, **named)
        return await Retry(NoBackoff(), 0).call_with_retry(*args, **named)


class Turns:
    """Limits the calls that run at a time, and turns failures of Redis into errors of the service."""

    def __init__(self, count: int, timeout_s: float) -> None:
        self._free, self._timeout_s = asyncio.Semaphore(count), timeout_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn. Raises Unavailable, and StoreFull."""
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
        except ResponseError as error:
            log.error("Redis refused a command: %s: %s", type(error).__name__, error)
            raise Unavailable(f"The store refused a command ({type(error).__name__}): /readyz names it.") from error
        except FAILURES as error:
            log.warning("Redis failed: %s: %s", type(error).__name__, error)
            raise Unavailable(f"The store does not answer ({type(error).__name__}): try again.") from error


def _parse(url: str) -> Named:
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    user, at, hosts = parts.netloc.rpartition("@")
    first, *_ = hosts.split(",")
    options = dict(parse_url(SplitResult(scheme, user + at + first, parts.path, parts.query, "").geturl()))
    if kind:  # `hosts` has the addresses
        tls = {"ssl": True} if options.pop("connection_class", None) is SSLConnection else {}
        options = {key: value for key, value in options.items() if key not in ("host", "port")} | tls
    return Named(kind, [_address(host, kind) for host in hosts.split(",")], parts.path.strip("/"), options)


def _address(host: str, kind: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if kind and not parts.hostname:
        raise ValueError
    return parts.hostname or "", parts.port or (26379 if kind == "sentinel" else 6379)


def _server(named: Named) -> Client:
    pool = redis.ConnectionPool(retry=_Once(), **named.options)
    _check(pool)
    return redis.Redis.from_pool(pool)


def _check(pool: redis.ConnectionPool) -> None:
    """Reject unknown options before connecting."""
    pool.connection_class(**pool.connection_kwargs)


def _sentinel(named: Named) -> Client:
    if not named.service:
        raise ValueError
    user = {name: named.options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared = {key: value for key, value in named.options.items() if key.startswith(("socket_", "ssl"))}
    sentinel = Sentinel(named.hosts, sentinel_kwargs={**shared, **user, "retry": _Once()})  # type: ignore[no-untyped-call]
    client = cast("redis.Redis", sentinel.master_for(named.service, retry=_Once(), **named.options))
    for pool in (client.connection_pool, sentinel.sentinels[0].connection_pool):
        _check(pool)
    return client


def _cluster(named: Named) -> Client:
    nodes = [ClusterNode(host, port) for host, port in named.hosts]
    return _Cluster(
        startup_nodes=nodes,
        require_full_coverage=False,  # the clients of nodes that are up are answered
        reinitialize_steps=0,  # otherwise every fifth moved slot closes the connections of all running calls
        retry=_Once(),
        **named.options,
    )


class _Cluster(RedisCluster):
    """Starts with any node that answers. The library's own gives up when the first node is down."""

    async def initialize(self, *options: Any, **named: Any) -> RedisCluster:
        try:
            return await super().initialize(*options, **named)
        except (redis.ConnectionError, redis.TimeoutError):
            for first in self.get_primaries()[:1]:
                self.nodes_manager.move_node_to_end_of_cached_nodes(first.name)
            return await super().initialize(*options, **named)


CONNECT: dict[str, Callable[[Named], Client]] = {"": _server, "sentinel": _sentinel, "cluster": _cluster}
