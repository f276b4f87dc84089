"""Lookups that are remembered for a moment."""

import asyncio

import pytest

from service.errors import Unavailable
from service.store import recent
from service.store.recent import FRESH_S, LAST_S, MOST, STALE_S, Recent

pytestmark = pytest.mark.anyio


@pytest.fixture
def now(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(recent.time, "monotonic", lambda: now[0])
    return now


def counting() -> Recent[int]:
    """Reads 1, then 2, and so on."""
    numbers = iter(range(1, 1_000_000))

    async def read(name: str) -> int:
        return next(numbers)

    return Recent(read)


async def test_concurrent_requests_share_a_lookup_and_later_ones_use_it(now):
    values = counting()
    assert await asyncio.gather(*(values.get("a") for _ in range(5))) == [1] * 5
    assert await values.get("a") == 1


async def test_a_lookup_is_renewed_behind_requests_and_dropped_after_two_seconds(now):
    values = counting()
    await values.get("a")
    now[0] = FRESH_S
    assert await values.get("a") == 1  # not waited for
    await values.settled()
    assert await values.get("a") == 2
    now[0] += STALE_S
    assert await values.get("a") == 3


async def test_a_failed_renewal_is_tried_again_and_then_raised(now):
    outcomes = iter([1, OSError(), OSError("away")])

    async def read(name: str) -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    values = Recent(read)
    await values.get("a")
    now[0] = FRESH_S
    assert await values.get("a") == 1
    await values.settled()
    now[0] = STALE_S
    with pytest.raises(OSError, match="away"):
        await values.get("a")


async def test_the_last_value_serves_for_ten_minutes_while_the_store_is_away(now):
    outcomes = iter([1, *[Unavailable("away")] * 4])

    async def read(name: str) -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    values = Recent(read)
    await values.get("a")
    for now[0] in (STALE_S, STALE_S + 0.1, LAST_S - 1):
        assert await values.get("a") == 1
    await values.settled()
    now[0] = LAST_S
    with pytest.raises(Unavailable):
        await values.get("a")


async def test_a_bounded_number_of_lookups_is_remembered(now):
    values = counting()
    for number in range(MOST + 5):
        await values.get(str(number))
    assert len(values._lookups) == MOST


async def test_a_lookup_that_does_not_end_holds_up_no_shutdown(monkeypatch):
    monkeypatch.setattr(recent, "SETTLE_S", 0.01)
    slow = Recent[int](lambda _: asyncio.Event().wait())
    asking = asyncio.create_task(slow.get("name"))
    await asyncio.sleep(0)
    await slow.settled()
    assert not asking.done()
    asking.cancel()
