"""The Valkey that is started when no Redis is given."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis.asyncio as redis
from redis.exceptions import RedisError

from service.store.embedded_valkey import DataInUse, embedded_valkey

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client_in(data: Path) -> AsyncIterator[redis.Redis]:
    async with embedded_valkey(data, 2**28) as url, redis.from_url(url) as client:
        yield client


async def pid_of(client: redis.Redis) -> int:
    return (await client.info("server"))["process_id"]


async def back(client: redis.Redis) -> None:
    """Return when it answers again."""
    async with asyncio.timeout(60):
        while True:
            with suppress(RedisError):
                return await client.ping()
            await asyncio.sleep(0.01)


async def test_data_survives_a_restart(tmp_path):
    async with client_in(tmp_path) as client:
        await client.set("a", "1")
    async with client_in(tmp_path) as client:
        assert await client.get("a") == b"1"


async def test_a_killed_server_is_restarted_with_its_data(tmp_path):
    async with client_in(tmp_path) as client:
        await client.set("a", "1")
        killed = await pid_of(client)
        os.kill(killed, signal.SIGKILL)
        await back(client)
        assert await client.get("a") == b"1"
        assert await pid_of(client) != killed


async def test_a_folder_in_use_is_refused(tmp_path):
    async with client_in(tmp_path) as client:
        with pytest.raises(DataInUse, match=str(tmp_path)):
            async with embedded_valkey(tmp_path, 2**28):
                pass
        assert await client.ping()


async def test_two_folders_have_separate_data(tmp_path):
    async with client_in(tmp_path / "one") as one, client_in(tmp_path / "other") as other:
        await one.set("a", "1")
        assert await other.get("a") is None


async def test_a_long_path_works(tmp_path):
    async with client_in(tmp_path / ("long" * 20) / ("path" * 20)) as client:
        assert await client.ping()


async def test_a_long_temporary_folder_works(tmp_path, monkeypatch):
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    async with client_in(tmp_path / "data") as client:
        assert await client.ping()


async def test_states_can_be_evicted_and_acknowledged_writes_are_on_disk(tmp_path):
    async with client_in(tmp_path) as client:
        assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
        assert await client.config_get("appendonly", "appendfsync") == {"appendonly": "yes", "appendfsync": "always"}


@pytest.mark.parametrize("older", [False, True])
async def test_only_its_user_can_read_the_data(tmp_path, older):
    data = tmp_path / "data"
    if older:
        data.mkdir(mode=0o755)
    mask = os.umask(0o022)
    try:
        async with client_in(data) as client:
            await client.set("a", "1")
    finally:
        assert os.umask(mask) == 0o022
    modes = {path: path.stat().st_mode & 0o077 for path in data.rglob("*.aof")}
    assert set(modes.values()) == {0}
    assert data.stat().st_mode & 0o777 == 0o700


async def test_its_memory_is_limited(tmp_path):
    async with client_in(tmp_path) as client:
        assert (await client.config_get("maxmemory"))["maxmemory"] == str(2**28)
