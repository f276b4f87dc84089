"""Connect to the Redis of a URL: one server, the master of Sentinels, or a Cluster."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, urlsplit

import hiredis
import redis.asyncio as redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import AbstractConnection, SSLConnection, parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import RedisClusterException

from service.store.retries import Once

Client = redis.Redis | RedisCluster

FORMS = """HANDFUL_REDIS_URL is not the URL of a Redis. Its forms, with rediss for TLS:
  redis://[user:password@]host:port/db
  unix:///path/of/the/socket
  redis+sentinel://[user:password@]host:port,host:port/service
  redis+cluster://[user:password@]host:port,host:port
Options follow as ?ssl_ca_certs=/path&...; in a password, write characters other than letters and digits as %XX."""


LONG = 6000
"""Bytes of a word that redis-py sends without a copy."""


class Named(NamedTuple):
    """A parsed URL. `kind` is empty for one server."""

    kind: str
    hosts: list[tuple[str, int]]
    service: str
    options: dict[str, Any]


def connect(url: str, timeout_s: float) -> Client:
    """A client. It connects at its first use. Raises ValueError without the URL, which may hold a password."""
    try:
        named = _parse(url)
        waits = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        return CONNECT[named.kind](named._replace(options=waits | named.options))
    except (KeyError, TypeError, ValueError, RedisClusterException):
        raise ValueError(FORMS) from None  # the cause may contain a part of the password


async def close(client: Client) -> None:
    """Close all connections."""
    await client.aclose()
    if isinstance(client, redis.Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        await client.connection_pool.sentinel_manager.aclose()


def _parse(url: str) -> Named:
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    user, at, hosts = parts.netloc.rpartition("@")
    first, *_ = hosts.split(",")
    options = dict(parse_url(SplitResult(scheme, user + at + first, parts.path, parts.query, "").geturl()))
    if kind:  # the addresses are in `hosts`
        tls = {"ssl": True} if options.pop("connection_class", None) is SSLConnection else {}
        options = {key: value for key, value in options.items() if key not in ("host", "port")} | tls
    return Named(kind, [_address(host, kind) for host in hosts.split(",")], parts.path.strip("/"), options)


def _address(host: str, kind: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if kind and not parts.hostname:
        raise ValueError
    return parts.hostname or "", parts.port or (26379 if kind == "sentinel" else 6379)


def _server(named: Named) -> Client:
    pool = redis.ConnectionPool(retry=Once(), **named.options)
    _check(pool)
    pool.connection_class = _packing(pool.connection_class)
    return redis.Redis.from_pool(pool)


def _packing(connection: type[AbstractConnection]) -> type[AbstractConnection]:
    """Connections that write commands of short words with hiredis, as redis-py does where it is not asynchronous.

    In Python, the write of 2000 examples takes 6 ms of the event loop. Long words are left to redis-py, which sends
    them without a copy.
    """

    class Packing(connection):  # type: ignore[misc,valid-type]
        def pack_command(self, *words: Any) -> list[bytes]:
            """Called by redis-py. The name of a command may be of several words."""
            if any(len(word) > LONG for word in words if isinstance(word, (bytes, str))):
                return super().pack_command(*words)  # type: ignore[no-any-return]
            name, *rest = words
            return [hiredis.pack_command((*name.split(), *rest))]

    return Packing


def _check(pool: redis.ConnectionPool) -> None:
    """Reject unknown options before connecting."""
    pool.connection_class(**pool.connection_kwargs)


def _sentinel(named: Named) -> Client:
    if not named.service:
        raise ValueError
    user = {name: named.options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared = {key: value for key, value in named.options.items() if key.startswith(("socket_", "ssl"))}
    sentinel = Sentinel(named.hosts, sentinel_kwargs={**shared, **user, "retry": Once()})  # type: ignore[no-untyped-call]
    client = cast("redis.Redis", sentinel.master_for(named.service, retry=Once(), **named.options))
    for pool in (client.connection_pool, sentinel.sentinels[0].connection_pool):
        _check(pool)
    return client


def _cluster(named: Named) -> Client:
    nodes = [ClusterNode(host, port) for host, port in named.hosts]
    return _Cluster(
        startup_nodes=nodes,
        require_full_coverage=False,  # serve the clients on healthy nodes while others are down
        reinitialize_steps=0,  # by default, every fifth moved slot closes the connections of all running calls
        retry=Once(),
        **named.options,
    )


class _Cluster(RedisCluster):
    """A Cluster client that starts with any node that answers. redis-py gives up if the first node is down."""

    async def initialize(self, *options: Any, **named: Any) -> RedisCluster:
        try:
            return await super().initialize(*options, **named)
        except (redis.ConnectionError, redis.TimeoutError):
            for first in self.get_primaries()[:1]:
                self.nodes_manager.move_node_to_end_of_cached_nodes(first.name)
            return await super().initialize(*options, **named)


CONNECT: dict[str, Callable[[Named], Client]] = {"": _server, "sentinel": _sentinel, "cluster": _cluster}
