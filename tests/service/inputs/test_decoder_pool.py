"""Files are decoded in processes that are limited, killed when they are stuck, and shared fairly."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import psutil
import pytest

from service.errors import Busy, DeadlineExceeded, Unavailable, Unprocessable
from service.inputs import decoder_pool
from service.inputs.decoder_pool import DecoderPool
from service.inputs.drawing import Drawing
from service.inputs.kind import Decoded
from service.inputs.limits import Limits
from service.inputs.photo import Photo
from tests.service.drawings import png
from tests.service.inputs.attacks import progressive_jpeg

DRAWING = Drawing(size=28)
LIMITS = Limits(64_000_000)
SOON, LATER = 1.0, 60.0


def pool(count: int = 2, share: int = 2, cpu_s: float = 60) -> DecoderPool:
    return DecoderPool(count, share, LIMITS, cpu_s, LATER)


def running(test: Callable[[DecoderPool], Coroutine[Any, Any, None]], pool: DecoderPool) -> None:
    async def all_of_it() -> None:
        try:
            await test(pool)
        finally:
            await pool.close()

    asyncio.run(all_of_it())


async def decode(pool: DecoderPool, *raw: Any, tenant: str = "acme") -> Decoded:
    return await pool.decode(DRAWING, list(raw), [f"inputs[{i}]" for i in range(len(raw))], tenant)


def pids(pool: DecoderPool) -> list[int]:
    return [process.process.pid for process in pool.processes if process.process]


async def stop(pool: DecoderPool) -> None:
    """Start all processes and stop them."""
    await asyncio.gather(*(decode(pool, png("L"), tenant=str(i)) for i in range(len(pool.processes))))
    for pid in pids(pool):
        os.kill(pid, signal.SIGSTOP)


async def begin(pool: DecoderPool) -> asyncio.Task:
    """A request that waits for its answer."""
    task = asyncio.create_task(decode(pool, png("L")))
    await asyncio.sleep(0)
    return task


def test_a_process_decodes_as_this_one_does():
    raw = [png("L"), [[0, 255], [255, 0]], np.eye(3, dtype=np.float32), np.eye(4, dtype=np.uint8), png("V")]

    async def test(pool: DecoderPool) -> None:
        np.testing.assert_array_equal((await decode(pool, *raw)).array(), DRAWING.decode(raw, "abcde", LIMITS).array())

    running(test, pool())


@pytest.mark.parametrize("bad", ["no image", "\ud800", [[0, float("nan")]], [[10**400]], None])
def test_a_refusal_names_the_field_and_the_process_goes_on(bad):
    async def test(pool: DecoderPool) -> None:
        await decode(pool, png("L"))
        before = pids(pool)
        with pytest.raises(Unprocessable) as refusal:
            await decode(pool, png("L"), bad)
        assert refusal.value.field == "inputs[1]"
        await decode(pool, png("L"))
        assert pids(pool) == before

    running(test, pool(count=1))


def test_a_file_that_takes_too_much_processor_time_is_refused_and_its_process_is_replaced():
    async def test(pool: DecoderPool) -> None:
        with pytest.raises(Unprocessable, match=r"over 0\.05 s to decode") as refusal:
            await decode(pool, progressive_jpeg(scans=60))
        assert refusal.value.field == "inputs[0]"
        assert (await decode(pool, png("L"))).array().shape == (1, 1, 28, 28)

    running(test, pool(count=1, cpu_s=0.05))


def test_a_process_that_is_stuck_is_killed_and_replaced():
    async def test(pool: DecoderPool) -> None:
        await stop(pool)
        [stuck] = pids(pool)
        pool.wait_s = SOON
        with pytest.raises(DeadlineExceeded):
            await decode(pool, png("L"))
        assert not psutil.pid_exists(stuck)
        pool.wait_s = LATER
        await decode(pool, png("L"))

    running(test, pool(count=1))


def test_waiting_for_a_process_has_a_deadline():
    async def test(pool: DecoderPool) -> None:
        await stop(pool)
        stuck = await begin(pool)
        pool.wait_s = SOON
        with pytest.raises(Busy):
            await decode(pool, png("L"))
        stuck.cancel()

    running(test, pool(count=1))


def test_a_process_that_crashes_is_replaced():
    async def test(pool: DecoderPool) -> None:
        await stop(pool)
        waiting = await begin(pool)
        os.kill(pids(pool)[0], signal.SIGKILL)
        with pytest.raises(Unprocessable, match="decoder failed"):
            await waiting
        await decode(pool, png("L"))

    running(test, pool(count=1))


def test_a_tenant_that_keeps_its_share_busy_leaves_a_process_to_others():
    async def test(pool: DecoderPool) -> None:
        next_one = pool.processes[-1]
        await asyncio.to_thread(next_one.start)
        os.kill(next_one.process.pid, signal.SIGSTOP)
        greedy = [asyncio.create_task(decode(pool, png("L"), tenant="greedy")) for _ in range(5)]
        await asyncio.sleep(0)
        await decode(pool, png("L"), tenant="modest")
        assert not any(task.done() for task in greedy)
        os.kill(next_one.process.pid, signal.SIGCONT)
        await asyncio.gather(*greedy)

    running(test, pool(count=2, share=1))


def test_the_first_request_starts_all_processes():
    async def test(pool: DecoderPool) -> None:
        await decode(pool, png("L"))
        async with asyncio.timeout(LATER):
            while len(pids(pool)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    running(test, pool(count=2))


def test_a_caller_that_leaves_does_not_end_the_process():
    async def test(pool: DecoderPool) -> None:
        await stop(pool)
        leaving = await begin(pool)
        before = pids(pool)
        leaving.cancel()
        os.kill(before[0], signal.SIGCONT)
        await decode(pool, png("L"))
        assert pids(pool) == before

    running(test, pool(count=1))


def test_memory_is_limited(monkeypatch):
    monkeypatch.setattr(decoder_pool, "BYTES_PER_PIXEL", 0)
    monkeypatch.setattr(decoder_pool, "SPARE_BYTES", 2**20)

    async def test(pool: DecoderPool) -> None:
        with pytest.raises(Unprocessable, match="memory"):
            await decode(pool, progressive_jpeg(scans=1))
        await decode(pool, png("L"))

    running(test, pool(count=1))


def test_a_failed_start_of_a_process_is_reported_and_retried_later(monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise BlockingIOError("no more processes")

    async def test(pool: DecoderPool) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(decoder_pool.subprocess, "Popen", refuse)
            with pytest.raises(Unavailable):
                await decode(pool, png("L"))
        await decode(pool, png("L"))

    running(test, pool(count=1))


def test_closing_the_pool_ends_its_processes():
    left: list[int] = []

    async def test(pool: DecoderPool) -> None:
        await stop(pool)
        await begin(pool)
        left.extend(pids(pool))

    running(test, pool())
    assert left
    assert not any(psutil.pid_exists(pid) for pid in left)


def test_files_and_many_pixels_are_heavy():
    small, many = np.zeros((28, 28), np.uint8), [np.zeros((28, 28), np.uint8)] * 100
    for heavy in ([png("L")], many, [[[0] * 200] * 200]):
        assert DRAWING.is_heavy(heavy)
    assert not DRAWING.is_heavy([small])
    assert Photo(size=32).is_heavy([np.zeros((200, 200, 3), np.uint8)])
    assert not Photo(size=32).is_heavy([np.zeros((8, 8, 3), np.uint8)])
