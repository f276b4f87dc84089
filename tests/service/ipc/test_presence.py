import asyncio

import pytest

from service.errors import Unavailable
from service.ipc import presence
from service.ipc.presence import Presence

pytestmark = pytest.mark.anyio


async def lost() -> Presence:
    """A worker that was ready, and is not."""
    one = Presence()
    one.set(ready=True)
    one.set(ready=False)
    return one


async def waiting_for(one: Presence, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(one.until_ready()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_lost_worker_is_waited_for():
    one = await lost()
    tasks = await waiting_for(one, 3)
    assert not any(task.done() for task in tasks)
    one.set(ready=True)
    await asyncio.gather(*tasks)


async def test_a_worker_that_is_lost_again_at_once_is_waited_for_again():
    one = await lost()
    [task] = await waiting_for(one, 1)
    one.set(ready=True)
    one.set(ready=False)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    one.set(ready=True)
    await task


async def test_a_worker_that_stays_away_is_waited_for_until_it_was_expected_and_no_longer(monkeypatch):
    monkeypatch.setattr(presence, "RESTART_S", 0.01)
    one = await lost()
    [early] = await waiting_for(one, 1)
    with pytest.raises(Unavailable, match="not ready"):
        await early
    monkeypatch.setattr(presence, "RESTART_S", 1000)
    one.set(ready=False)  # a worker that is away already is not lost again
    with pytest.raises(Unavailable, match="not ready"):
        await one.until_ready()


async def test_a_request_over_the_limit_of_waiting_ones_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(presence, "MAX_WAITING", 2)
    one = await lost()
    first, second = await waiting_for(one, 2)
    with pytest.raises(Unavailable, match="2 requests wait"):
        await one.until_ready()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    [third] = await waiting_for(one, 1)
    one.set(ready=True)
    await asyncio.gather(second, third)
