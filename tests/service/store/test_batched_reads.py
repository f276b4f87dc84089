"""Reads that are asked for together go together, and each gets its own answer."""

import asyncio

import pytest

from service.store.batched_reads import BatchedReads

pytestmark = pytest.mark.anyio


class Source:
    """Doubles numbers when it is let, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.gate = asyncio.Event()

    async def read(self, keys: list[int]) -> list[int]:
        self.asked.append(keys)
        await self.gate.wait()
        if 13 in keys:
            raise LookupError("no 13")
        return [2 * key for key in keys]


@pytest.fixture
def source() -> Source:
    return Source()


async def asking(batched_reads: BatchedReads, *keys: int) -> list[asyncio.Task]:
    """One task for each key, all of them waiting."""
    tasks = [asyncio.create_task(batched_reads.get(key)) for key in keys]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_requests_during_a_read_share_the_next_one(source):
    batched_reads = BatchedReads(source.read)
    tasks = [*await asking(batched_reads, 1), *await asking(batched_reads, 2, 3)]
    source.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6]
    assert source.asked == [[1], [2, 3]]
    assert await batched_reads.get(4) == 8


async def test_a_failed_read_fails_only_the_requests_that_share_it(source):
    batched_reads = BatchedReads(source.read)
    tasks = [*await asking(batched_reads, 13), *await asking(batched_reads, 2)]
    source.gate.set()
    first, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, LookupError)
    assert second == 4


async def test_a_cancelled_request_does_not_affect_the_others(source):
    batched_reads = BatchedReads(source.read)
    leaver, stayer = await asking(batched_reads, 1, 2)
    leaver.cancel()
    source.gate.set()
    assert await stayer == 4
    assert leaver.cancelled()
