"""A queue runs the jobs that arrived while it worked in batches of one group, and never loses a job."""

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from service.engine.batch_queue import BatchQueue, Limits
from service.engine.turns import Turns
from service.errors import Busy, Diverged, Unavailable

pytestmark = pytest.mark.anyio


class Bench:
    """Answers in capitals, fails on "bad", records its batches, and works only while the gate is open."""

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

    async def occupied_by(self, queue: BatchQueue, work: str = "first") -> asyncio.Future:
        """Occupy the queue with one job, so that later jobs wait behind it."""
        answer = queue.submit(work, "alone", 1)
        assert await asyncio.to_thread(self.began.wait, 60)
        return answer


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.gate.set()


@pytest.fixture
def queue_of(bench):
    """Make queues with these limits; they close with the test."""
    queues = []

    def make(waiting: int = 100, jobs: int = 16, cost: int = 1000) -> BatchQueue[str, str]:
        queue = BatchQueue("adapt", bench.run, Limits(waiting, jobs, cost), Turns())
        queue.start()
        queues.append(queue)
        return queue

    yield make
    bench.gate.set()
    for queue in queues:
        queue.close()


async def test_jobs_of_one_group_that_wait_together_run_as_one_batch(bench, queue_of):
    queue = queue_of()
    first = await bench.occupied_by(queue)
    answers = [queue.submit(work, "group", 1) for work in "abc"]
    bench.gate.set()
    assert await asyncio.gather(first, *answers) == ["FIRST", "A", "B", "C"]
    assert bench.batches == [["first"], ["a", "b", "c"]]


async def test_groups_do_not_mix_and_the_oldest_job_leads(bench, queue_of):
    queue = queue_of()
    await bench.occupied_by(queue)
    answers = [queue.submit(work, work[0], 1) for work in ("x1", "y1", "x2", "z1", "y2")]
    bench.gate.set()
    assert await asyncio.gather(*answers) == ["X1", "Y1", "X2", "Z1", "Y2"]
    assert bench.batches[1:] == [["x1", "x2"], ["y1", "y2"], ["z1"]]


@pytest.mark.parametrize(
    ("limits", "cost", "batches"),
    [
        ({"jobs": 2}, 1, [["a", "b"], ["c", "d"], ["e"]]),
        ({"cost": 30}, 10, [["a", "b", "c"], ["d", "e"]]),
        ({"cost": 31}, 16, [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ({"cost": 30}, 500, [["a"], ["b"], ["c"], ["d"], ["e"]]),
    ],
)
async def test_a_batch_keeps_to_the_limits_but_no_job_is_too_costly_alone(bench, queue_of, limits, cost, batches):
    queue = queue_of(**limits)
    await bench.occupied_by(queue)
    answers = [queue.submit(work, "group", cost) for work in "abcde"]
    bench.gate.set()
    assert await asyncio.gather(*answers) == list("ABCDE")
    assert bench.batches[1:] == batches


async def test_a_job_with_an_error_as_its_result_fails_alone_and_nothing_runs_twice():
    ran: list[str] = []

    def run(works):
        ran.extend(works)
        return [Diverged("no") if work == "bad" else work.upper() for work in works]

    queue = BatchQueue("adapt", run, Limits(9, 9, 9), Turns())
    queue.start()
    answers = [queue.submit(work, "group", 1) for work in ("a", "bad", "c")]
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    queue.close()
    assert [str(outcome) for outcome in outcomes] == ["A", "no", "C"]
    assert ran == ["a", "bad", "c"]


async def test_a_batch_that_fails_is_halved_until_the_bad_job_is_alone(bench, queue_of):
    queue = queue_of()
    await bench.occupied_by(queue)
    answers = [queue.submit(work, "group", 1) for work in ("a", "b", "c", "bad")]
    bench.gate.set()
    await asyncio.gather(*answers, return_exceptions=True)
    assert bench.batches[1:] == [["a", "b", "c", "bad"], ["a", "b"], ["c", "bad"], ["c"], ["bad"]]


async def test_a_bad_job_fails_alone(bench, queue_of):
    queue = queue_of()
    await bench.occupied_by(queue)
    answers = [queue.submit(work, "group", 1) for work in ("a", "bad", "c")]
    bench.gate.set()
    good, bad, other = await asyncio.gather(*answers, return_exceptions=True)
    assert (good, repr(bad), other) == ("A", "ValueError('bad')", "C")
    assert await queue.submit("later", "group", 1) == "LATER"


async def test_a_full_queue_is_busy_until_it_has_room(bench, queue_of):
    queue = queue_of(waiting=2)
    await bench.occupied_by(queue)
    answers = [queue.submit(work, "group", 1) for work in "ab"]
    with pytest.raises(Busy):
        queue.submit("c", "group", 1)
    bench.gate.set()
    assert await asyncio.gather(*answers) == ["A", "B"]
    assert await queue.submit("c", "group", 1) == "C"
    assert "c" not in bench.batches[1]


async def test_a_cancelled_job_never_runs_and_leaves_its_place(bench, queue_of):
    queue = queue_of(waiting=2)
    await bench.occupied_by(queue)
    kept, cancelled = queue.submit("kept", "group", 1), queue.submit("cancelled", "group", 1)
    cancelled.cancel()
    late = queue.submit("late", "group", 1)
    bench.gate.set()
    assert await asyncio.gather(kept, late) == ["KEPT", "LATE"]
    assert bench.batches == [["first"], ["kept", "late"]]


async def test_cancelling_a_running_job_does_not_affect_others(bench, queue_of):
    queue = queue_of()
    (await bench.occupied_by(queue)).cancel()
    behind = queue.submit("behind", "group", 1)
    bench.gate.set()
    assert await behind == "BEHIND"


async def test_closing_finishes_running_jobs_and_refuses_all_others(bench, queue_of):
    queue = queue_of()
    running = await bench.occupied_by(queue)
    waiting = queue.submit("waiting", "group", 1)
    closing = asyncio.create_task(asyncio.to_thread(queue.close))
    while queue.alive():  # noqa: ASYNC110 (the other thread's doing has no event)
        await asyncio.sleep(0)
    bench.gate.set()
    assert await running == "FIRST"
    with pytest.raises(Unavailable):
        await waiting
    await closing
    with pytest.raises(Unavailable):
        queue.submit("late", "group", 1)


async def test_a_blocked_queue_does_not_stop_another(bench, queue_of):
    await bench.occupied_by(queue_of())
    other = BatchQueue("predict", lambda works: works, Limits(1, 1, 1), Turns())
    other.start()
    assert await other.submit("answer", "group", 1) == "answer"
    other.close()


async def test_it_says_for_how_long_the_batch_in_hand_has_run(bench, queue_of):
    queue = queue_of()
    assert queue.stuck_for() == 0
    answer = await bench.occupied_by(queue)
    assert queue.stuck_for() > 0
    bench.gate.set()
    await answer
    queue.close()
    assert queue.stuck_for() == 0
