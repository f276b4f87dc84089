"""Writes that are acknowledged when a replica of Redis has them: nothing acknowledged is lost by a failover."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count

import pytest
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from service.errors import Unavailable
from service.store.connect import close, connect
from service.store.copies import Copies
from service.store.key_ring import ApiKey
from service.store.keys import copied_key, record_key
from service.store.records import ClientKey
from service.store.store import Store
from tests.service.drawings import letters, png
from tests.service.redises import (
    Node,
    cluster,
    move_slots,
    node,
    port_of,
    sentinel,
    slot_of,
    until,
    url_of_cluster,
    url_of_sentinel,
    with_replica,
)
from tests.service.serving import serving
from tests.service.supports import ALICE, draft

pytestmark = pytest.mark.anyio

NEW = {"repl-diskless-sync-delay": 0}

CLIENTS = [ClientKey("acme", f"c{n}") for n in range(50)]
FIRST = min(CLIENTS, key=slot_of)
"""A client of the first node of a Cluster."""
LAST = max(CLIENTS, key=slot_of)
KEY = ApiKey(id="k", tenant="acme", sha256="", scopes=["read"], created_at=datetime.now(UTC))
ADAPT = {"client_id": "alice", "support": letters("LV")}
PREDICT = {"client_id": "alice", "inputs": [png("L"), png("V")]}


@contextmanager
def stopped(replica: Node) -> Iterator[None]:
    """The process of a replica gets nothing, while its connection stays."""
    with Redis(port=port_of(replica)) as redis:
        process = redis.info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.fixture(params=["server", "cluster"])
def replicated(request: pytest.FixtureRequest) -> Iterator[tuple[str, Node]]:
    """The URL of a Redis, and the replica of the node that has the client."""
    if request.param == "server":
        with node(**NEW) as master, node(replicaof=f"127.0.0.1 {port_of(master)}") as replica:
            follows(replica)
            yield f"redis://127.0.0.1:{port_of(master)}", replica
    else:
        with cluster() as nodes, with_replica(nodes) as replica:
            yield url_of_cluster(nodes), replica


def follows(replica: Node) -> None:
    with Redis(port=port_of(replica)) as redis:
        until(lambda: redis.info("replication")["master_link_status"] == "up")


def names_on(one: Node) -> list[str]:
    """Its keys. A replica of a Cluster would send GET to its master."""
    with Redis(port=port_of(one), decode_responses=True) as redis:
        return redis.keys()


@asynccontextmanager
async def store_at(url: str, timeout_s: float = 20) -> AsyncIterator[Store]:
    store = Store(url, timeout_s=timeout_s, state_ttl_s=1000, replicas=1)
    try:
        yield store
    finally:
        await store.close()


async def test_a_write_is_acknowledged_when_a_replica_has_it(replicated):
    url, replica = replicated
    async with store_at(url) as store:
        await store.commit(FIRST, draft(1))
        assert record_key(FIRST) in names_on(replica)
        await store.forget(FIRST)
        assert record_key(FIRST) not in names_on(replica)


async def test_a_write_that_no_replica_gets_is_not_acknowledged(replicated):
    url, replica = replicated
    async with store_at(url, timeout_s=1) as store:
        await store.commit(FIRST, draft(1))
        with stopped(replica):
            for write in (store.commit(FIRST, draft(2)), store.forget(FIRST)):
                with pytest.raises(Unavailable, match=r"0 replicas of Redis have all .*, and 1 must .*REDIS_REPLICAS"):
                    await write
            with pytest.raises(Unavailable, match="must"):
                await store.keys.change([], [KEY])
        await store.commit(FIRST, draft(3))


async def test_in_a_cluster_a_client_waits_for_the_replicas_of_its_own_node():
    with cluster() as nodes, with_replica(nodes):
        async with store_at(url_of_cluster(nodes), timeout_s=1) as store:
            await store.commit(FIRST, draft())
            with pytest.raises(Unavailable, match="0 replicas"):
                await store.commit(LAST, draft())


async def test_in_a_cluster_a_script_follows_a_moved_slot_and_runs_once():
    with cluster() as nodes, with_replica(nodes):
        first, second, third = nodes
        client = connect(url_of_cluster(nodes), 5)
        move_slots({slot_of(LAST)}, third, first, [second])
        script = "return redis.call('INCR', KEYS[1])"
        assert await Copies(client, 1, 2).eval(script, 1, record_key(LAST)) == 1
        await close(client)


async def test_a_retry_with_the_same_key_is_acknowledged_by_replicas_too_and_done_once(settings, worker):
    with node(**NEW) as master, node(replicaof=f"127.0.0.1 {port_of(master)}") as replica:
        follows(replica)
        named = {"redis_url": f"redis://127.0.0.1:{port_of(master)}", "redis_replicas": 1, "redis_timeout_s": 1.0}
        with serving(settings.model_copy(update=named), worker) as api:
            key = {"Idempotency-Key": "once"}
            with stopped(replica):
                answers = [api.post("/adapt", json=ADAPT, headers=key) for _ in range(2)]
                assert [answer.status_code for answer in answers] == [503, 503]
                assert "HANDFUL_REDIS_REPLICAS" in answers[1].json()["detail"]
                assert api.post("/predict", json=PREDICT).json()["version"] == 1  # done, and not acknowledged
            until(lambda: api.post("/adapt", json=ADAPT, headers=key).status_code == 200)
            assert api.get("/clients/alice").json()["version"] == 1


async def test_a_failover_loses_nothing_that_was_acknowledged(settings, worker):
    with (
        node(**NEW) as master,
        node(replicaof=f"127.0.0.1 {port_of(master)}") as replica,
        sentinel(master) as watching,
        Redis(port=port_of(watching)) as sentinels,
    ):
        until(lambda: [one["master-link-status"] for one in sentinels.sentinel_slaves("main")] == ["ok"])
        named = {"redis_url": url_of_sentinel(watching), "redis_replicas": 1, "redis_timeout_s": 1.0}
        with serving(settings.model_copy(update=named), worker) as api:
            acknowledged = api.post("/adapt", json=ADAPT)
            assert acknowledged.status_code == 200
            with stopped(replica):
                other = api.post("/adapt", json=ADAPT | {"client_id": "bob"})
                assert other.status_code == 503
                master.terminate()
            until(lambda: api.post("/predict", json=PREDICT).json().get("version") == 1)


async def test_a_failover_under_load_loses_no_acknowledged_write():
    with (
        node(**NEW) as master,
        node(**NEW, replicaof=f"127.0.0.1 {port_of(master)}") as replica,
        sentinel(master) as watching,
        Redis(port=port_of(watching)) as sentinels,
        Redis(port=port_of(replica)) as new,
    ):
        until(lambda: [one["master-link-status"] for one in sentinels.sentinel_slaves("main")] == ["ok"])
        client, acknowledged = connect(url_of_sentinel(watching), 2), dict.fromkeys(map(str, range(4)), 0)
        copies = Copies(client, 1, 1)

        async def write(key: str) -> None:
            with suppress(Unavailable, RedisError):
                for number in count(1):
                    await copies.eval("redis.call('SET', KEYS[1], ARGV[1]) return 1", 1, key, number)
                    acknowledged[key] = number

        writing = [asyncio.create_task(write(key)) for key in acknowledged]
        await asyncio.to_thread(until, lambda: all(acknowledged.values()))
        await asyncio.to_thread(until, lambda: sentinels.execute_command("SENTINEL FAILOVER", "main"))
        await asyncio.to_thread(until, lambda: new.info("replication")["role"] == "master")
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        await close(client)
        found = {key: int(new.get(key)) for key in acknowledged}
        assert all(found[key] >= acknowledged[key] for key in found), (found, acknowledged)


async def test_a_full_redis_acknowledges_a_delete():
    with (
        node(**NEW) as master,
        node(replicaof=f"127.0.0.1 {port_of(master)}") as replica,
        Redis(port=port_of(master)) as admin,
    ):
        follows(replica)
        async with store_at(f"redis://127.0.0.1:{port_of(master)}") as store:
            await store.commit(ALICE, draft())
            admin.config_set("maxmemory-policy", "noeviction")
            admin.config_set("maxmemory", 1)
            await store.forget(ALICE)
            assert admin.exists(record_key(ALICE)) == 0


async def test_a_redis_user_who_may_not_wait_is_named():
    with node() as server, Redis(port=port_of(server)) as admin:
        admin.execute_command("ACL", "SETUSER", "handful", "reset", "on", "nopass", "~*", "+@all", "-wait")
        async with store_at(f"redis://handful:any@127.0.0.1:{port_of(server)}") as store:
            with pytest.raises(Unavailable, match="Redis refuses WAIT, which the service needs"):
                await store.ping()


async def test_readiness_does_not_wait_for_replicas():
    with node() as server:
        async with store_at(f"redis://127.0.0.1:{port_of(server)}") as store:
            await store.ping()


def test_the_key_that_asks_for_replicas_lies_beside_the_client():
    assert key_slot(copied_key(record_key(ALICE)).encode()) == key_slot(record_key(ALICE).encode())
