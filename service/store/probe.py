"""The readiness probe: runs every command that the service needs, on its own keys."""

import redis.asyncio as redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import OutOfMemoryError, ResponseError

from service.errors import Unavailable
from service.store.connect import Client
from service.store.copies import Copies
from service.store.keys import probe_keys
from service.store.scripts import PROBE

VALUE = b"ready"


async def probe(client: Client, copies: Copies) -> None:
    """Write and read the probe keys. In a Cluster, one node is enough: the service can serve the clients of that node.

    Raises:
        Unavailable: Redis refuses a command; the error names it.
    """
    if isinstance(client, RedisCluster):
        await _probe_any(client, copies)
    else:
        await _probe(client, probe_keys(), copies)


async def _probe_any(client: RedisCluster, copies: Copies) -> None:
    """Probe the nodes until one answers."""
    await client.initialize()
    failure: Exception | None = None
    for node in list(client.get_primaries()):
        try:
            return await _probe(client, _keys_of(client, node), copies)
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            failure = error
        except (LookupError, RuntimeError) as error:  # of the map of the Cluster, which changes meanwhile
            failure = redis.ConnectionError(f"the map of the Cluster changes: {error}")
    raise failure or redis.ConnectionError("the Cluster has no nodes")


def _keys_of(client: RedisCluster, node: ClusterNode) -> tuple[str, str, str]:
    """Probe keys that lie on a node. Raises ConnectionError if no key is found."""
    for number in range(16384):
        keys = probe_keys(number)
        if client.get_node_from_key(keys[0]) == node:
            return keys
    raise redis.ConnectionError("the node has no slots")


async def _probe(client: Client, keys: tuple[str, str, str], copies: Copies) -> None:
    first, *_ = keys
    command = "EVAL"
    try:
        refused = await client.eval(PROBE, len(keys), *keys, VALUE)
        command = "MGET"
        await client.mget(first)
        command = "GETEX"
        await client.getex(first, ex=60)
        command = "WAIT"
        await copies.try_wait(first)
    except OutOfMemoryError:
        return  # predicts still work; adapts get an error of their own
    except ResponseError as error:
        raise _refused(command, str(error)) from error
    if refused and not refused[1].startswith(b"OOM"):
        raise _refused(refused[0].decode(), refused[1].decode(errors="replace"))


def _refused(command: str, error: str) -> Unavailable:
    return Unavailable(f"Redis refuses {command}, which the service needs: {error[:200]}")
