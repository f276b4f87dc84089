"""A lane runs what has gathered while it worked, in batches of one group, and never loses a job."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from service.engine.batch_queue import BatchQueue, Limits
from service.errors import Busy, Unavailable

pytestmark = pytest.mark.anyio


class Bench:
    """What a lane runs: answers in capitals, fails on "bad", notes its batches, works only while the gate is open."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began, self.gate = threading.Event(), threading.Event()

    def run(self, works: Sequence[str]) -> list[str]:
        self.batches.append(list(works))
        self.began.set()
        assert self.gate.wait(60)
        if "bad" in works:
            raise ValueError("bad")
        return [work.upper() for work in works]

    async def occupied_by(self, lane: BatchQueue, work: str = "first") -> asyncio.Future:
        """The lane is at work on one job, so that what is submitted now gathers behind it."""
        answer = lane.submit(work, "alone", 1)
        assert await asyncio.to_thread(self.began.wait, 60)
        return answer


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.gate.set()


@pytest.fixture
def lane_of(bench):
    """Make lanes of given limits; they end with the test."""
    lanes = []

    def make(waiting: int = 100, jobs: int = 16, cost: int = 1000) -> BatchQueue[str, str]:
        lane = BatchQueue("adapt", bench.run, Limits(waiting, jobs, cost))
        lane.start()
        lanes.append(lane)
        return lane

    yield make
    bench.gate.set()
    for lane in lanes:
        lane.close()


async def test_jobs_of_one_group_that_wait_together_run_as_one_batch(bench, lane_of):
    lane = lane_of()
    first = await bench.occupied_by(lane)
    answers = [lane.submit(work, "group", 1) for work in "abc"]
    bench.gate.set()
    assert await asyncio.gather(first, *answers) == ["FIRST", "A", "B", "C"]
    assert bench.batches == [["first"], ["a", "b", "c"]]


async def test_groups_do_not_mix_and_the_oldest_job_leads(bench, lane_of):
    lane = lane_of()
    await bench.occupied_by(lane)
    answers = [lane.submit(work, work[0], 1) for work in ("x1", "y1", "x2", "z1", "y2")]
    bench.gate.set()
    assert await asyncio.gather(*answers) == ["X1", "Y1", "X2", "Z1", "Y2"]
    assert bench.batches[1:] == [["x1", "x2"], ["y1", "y2"], ["z1"]]


@pytest.mark.parametrize(
    ("limits", "cost", "batches"),
    [
        ({"jobs": 2}, 1, [["a", "b"], ["c", "d"], ["e"]]),
        ({"cost": 30}, 10, [["a", "b", "c"], ["d", "e"]]),
        ({"cost": 30}, 16, [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ({"cost": 30}, 500, [["a"], ["b"], ["c"], ["d"], ["e"]]),
    ],
)
async def test_a_batch_keeps_to_the_limits_but_no_job_is_too_costly_alone(bench, lane_of, limits, cost, batches):
    lane = lane_of(**limits)
    await bench.occupied_by(lane)
    answers = [lane.submit(work, "group", cost) for work in "abcde"]
    bench.gate.set()
    assert await asyncio.gather(*answers) == list("ABCDE")
    assert bench.batches[1:] == batches


async def test_a_bad_job_fails_alone(bench, lane_of):
    lane = lane_of()
    await bench.occupied_by(lane)
    answers = [lane.submit(work, "group", 1) for work in ("a", "bad", "c")]
    bench.gate.set()
    good, bad, other = await asyncio.gather(*answers, return_exceptions=True)
    assert (good, repr(bad), other) == ("A", "ValueError('bad')", "C")
    assert await lane.submit("later", "group", 1) == "LATER"


async def test_a_full_lane_is_busy_and_takes_jobs_again_when_it_has_room(bench, lane_of):
    lane = lane_of(waiting=2)
    await bench.occupied_by(lane)
    answers = [lane.submit(work, "group", 1) for work in "ab"]
    with pytest.raises(Busy):
        lane.submit("c", "group", 1)
    bench.gate.set()
    assert await asyncio.gather(*answers) == ["A", "B"]
    assert await lane.submit("c", "group", 1) == "C"
    assert "c" not in bench.batches[1]


async def test_a_cancelled_job_never_runs_and_leaves_its_place(bench, lane_of):
    lane = lane_of(waiting=2)
    await bench.occupied_by(lane)
    kept, cancelled = lane.submit("kept", "group", 1), lane.submit("cancelled", "group", 1)
    cancelled.cancel()
    late = lane.submit("late", "group", 1)
    bench.gate.set()
    assert await asyncio.gather(kept, late) == ["KEPT", "LATE"]
    assert bench.batches == [["first"], ["kept", "late"]]


async def test_a_job_cancelled_while_it_runs_harms_nobody(bench, lane_of):
    lane = lane_of()
    (await bench.occupied_by(lane)).cancel()
    behind = lane.submit("behind", "group", 1)
    bench.gate.set()
    assert await behind == "BEHIND"


async def test_closing_finishes_what_runs_and_refuses_what_waits_and_what_comes(bench, lane_of):
    lane = lane_of()
    running = await bench.occupied_by(lane)
    waiting = lane.submit("waiting", "group", 1)
    closing = asyncio.create_task(asyncio.to_thread(lane.close))
    while lane.alive():  # noqa: ASYNC110 (the other thread's doing has no event)
        await asyncio.sleep(0)
    bench.gate.set()
    assert await running == "FIRST"
    with pytest.raises(Unavailable):
        await waiting
    await closing
    with pytest.raises(Unavailable):
        lane.submit("late", "group", 1)


async def test_a_blocked_lane_does_not_stop_another(bench, lane_of):
    await bench.occupied_by(lane_of())
    other = BatchQueue("predict", lambda works: works, Limits(1, 1, 1))
    other.start()
    assert await other.submit("answer", "group", 1) == "answer"
    other.close()


async def test_it_says_for_how_long_the_batch_in_hand_has_run(bench, lane_of):
    lane = lane_of()
    assert lane.stuck_for() == 0
    answer = await bench.occupied_by(lane)
    assert lane.stuck_for() > 0
    bench.gate.set()
    await answer
    lane.close()
    assert lane.stuck_for() == 0
