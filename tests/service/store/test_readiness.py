"""Readiness asks of Redis what adapts ask of it, and names what is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis
from redis.asyncio.cluster import RedisCluster

from service.errors import Unavailable
from service.store.store import Store
from tests.service.redises import EITHER, node, port_of, until
from tests.service.serving import serving
from tests.service.supports import ALICE, draft

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def store_at(url: str) -> AsyncIterator[Store]:
    store = Store(url, timeout_s=20, state_ttl_s=1000)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(scope="module")
def server():
    with node() as server:
        yield server


@pytest.fixture
def admin(server):
    with Redis(port=port_of(server)) as redis:
        yield redis
        redis.config_set("maxmemory", 0)
        redis.config_set("min-replicas-to-write", 0)


def as_user(server, admin: Redis, *rules: str) -> str:
    admin.execute_command("ACL", "SETUSER", "handful", "reset", "on", "nopass", *rules)
    return f"redis://handful:any@127.0.0.1:{port_of(server)}"


@EITHER
async def test_a_redis_that_takes_everything_is_ready(store, redis):
    for _ in range(2):
        await store.ping()
    assert await store.clients("acme", after="", limit=10) == []
    assert all(0 < redis.ttl(key) <= 60 for key in redis.scan_iter())


@pytest.mark.parametrize("redis_url", ["cluster"], indirect=True)
async def test_a_cluster_whose_map_changes_meanwhile_is_not_ready(store, redis, monkeypatch):
    def moved(*_: object) -> None:
        raise KeyError("no such node")

    monkeypatch.setattr(RedisCluster, "get_node_from_key", moved)
    with pytest.raises(Unavailable, match="The store does not answer"):
        await store.ping()


@pytest.mark.parametrize(
    "command", ["EVAL", "MGET", "GETEX", "SET", "ZADD", "ZREM", "DEL", "ZRANGEBYLEX", "HSET", "EXPIRE"]
)
async def test_a_command_that_the_redis_user_may_not_run_is_named(server, admin, command):
    url = as_user(server, admin, "~*", "&*", "+@all", f"-{command}")
    async with store_at(url) as store:
        with pytest.raises(Unavailable, match=rf"Redis refuses {command}, which the service needs"):
            await store.ping()


async def test_a_redis_user_without_access_to_the_keys_is_reported(server, admin):
    async with store_at(as_user(server, admin, "~other:*", "+@all")) as store:
        with pytest.raises(Unavailable, match=r"Redis refuses \w+, which the service needs: .*(key|permission)"):
            await store.ping()


async def test_a_user_of_the_service_s_keys_is_enough(server, admin):
    async with store_at(as_user(server, admin, "~handful:*", "+@all")) as store:
        await store.ping()
        assert (await store.commit(ALICE, draft())) == await store.record(ALICE)
        await store.sweep()
        await store.forget(ALICE)


async def test_a_replica_that_takes_no_writes_is_not_ready(server):
    with node(replicaof=f"127.0.0.1 {port_of(server)}") as replica, Redis(port=port_of(replica)) as seen:
        until(lambda: seen.info("replication")["master_link_status"] == "up")
        async with store_at(f"redis://127.0.0.1:{port_of(replica)}") as store:
            with pytest.raises(Unavailable, match=r"Redis refuses \w+, .*read only replica"):
                await store.ping()


async def test_a_redis_that_takes_no_writes_now_is_not_ready(server, admin):
    admin.config_set("min-replicas-to-write", 1)
    async with store_at(f"redis://127.0.0.1:{port_of(server)}") as store:
        with pytest.raises(Unavailable, match="Redis refuses"):
            await store.ping()


async def test_a_full_redis_is_ready_because_predicts_go_on(server, admin):
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", 1)
    async with store_at(f"redis://127.0.0.1:{port_of(server)}") as store:
        await store.ping()


def test_readyz_names_the_refused_command(settings, worker, server, admin):
    url = as_user(server, admin, "~*", "+@all", "-eval")
    with serving(settings.model_copy(update={"redis_url": url}), worker) as api:
        answer = api.get("/readyz")
        assert (answer.status_code, "EVAL" in answer.json()["detail"]) == (503, True)
        adapt = {"client_id": "a", "model": "sinusoid", "support": [{"input": 0, "label": 0}]}
        refused = api.post("/adapt", json=adapt)
        assert (refused.status_code, "NoPermissionError" in refused.json()["detail"]) == (503, True)
