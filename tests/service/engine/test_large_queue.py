"""Large jobs run in pieces beside the batches, give way to other tenants, and stop when their caller has gone."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from service.engine import budget, input_encoder, queues
from service.engine.costs import Cost
from service.engine.device import Device
from service.engine.jobs import AdaptJob
from service.engine.large_queue import LargeQueue
from service.engine.learners import load
from service.engine.pieces import SHORT_S, LargeAdapt, piece_size
from service.engine.turns import Turns
from service.errors import DeadlineExceeded, Unavailable
from service.settings import Settings
from tests.service.engine.test_worker import images, support
from tests.service.serving import working

pytestmark = pytest.mark.anyio


class Steps:
    """A job of several pieces. Each piece waits for the gate. `log` records them."""

    piece_s = 1.0

    def __init__(self, name: str, count: int, log: list[str], gate: threading.Event) -> None:
        self.name, self.left, self.log, self.gate = name, count, log, gate
        self.began = threading.Event()

    def advance(self, device: object) -> str | None:
        self.log.append(self.name)
        self.began.set()
        assert self.gate.wait(60)
        self.left -= 1
        if self.name == "bad":
            raise ValueError("bad")
        return None if self.left else f"{self.name} done"

    def next_is_short(self) -> bool:
        return True

    def shrink(self) -> bool:
        return False


class Bench:
    """A queue of one thread or more, and its log."""

    def __init__(self, threads: int) -> None:
        self.log, self.gate, self.turns = list[str](), threading.Event(), Turns()
        self.queue: LargeQueue[str] = LargeQueue("large-adapt", [None] * threads, 9, self.turns)
        self.queue.start()

    def submit(self, name: str, count: int, tenant: str = "A") -> asyncio.Future:
        self.steps = Steps(name, count, self.log, self.gate)
        return self.queue.submit(self.steps, "large", 1, share=(tenant, name))


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(1)
    yield bench
    bench.gate.set()
    bench.queue.close()


async def test_pieces_of_tenants_take_turns(bench):
    long = bench.submit("long", 4)
    await asyncio.to_thread(bench.steps.began.wait, 60)
    short = bench.submit("short", 1, "B")
    bench.gate.set()
    assert await asyncio.gather(long, short) == ["long done", "short done"]
    assert bench.log == ["long", "short", "long", "long", "long"]


async def test_a_cancelled_job_stops_after_its_piece(bench):
    long = bench.submit("long", 1000)
    await asyncio.to_thread(bench.steps.began.wait, 60)
    long.cancel()
    bench.gate.set()
    assert await bench.submit("next", 1) == "next done"
    assert bench.log == ["long", "next"]


async def test_a_job_that_fails_fails_alone(bench):
    bench.gate.set()
    with pytest.raises(ValueError, match="bad"):
        await bench.submit("bad", 2)
    assert await bench.submit("good", 2) == "good done"


async def test_closing_refuses_a_job_between_its_pieces(bench):
    long = bench.submit("long", 1000)
    await asyncio.to_thread(bench.steps.began.wait, 60)
    closing = asyncio.create_task(asyncio.to_thread(bench.queue.close))
    while bench.queue.alive():  # noqa: ASYNC110 (the other thread sets no event)
        await asyncio.sleep(0)
    bench.gate.set()
    await closing
    with pytest.raises(Unavailable):
        await long


class Operations(Steps):
    """A job of one piece with many operations of torch. It sets `began` before them."""

    def next_is_short(self) -> bool:
        self.began.set()
        return False

    def advance(self, device: object) -> str | None:
        assert self.gate.wait(60)
        for number in range(1000):
            self.log.append(f"{number}")
            torch.ones(1)
        return "done"


async def test_a_job_pauses_within_a_long_piece_for_a_small_job_of_another_tenant(bench):
    steps = Operations("long", 1, bench.log, bench.gate)
    long = bench.queue.submit(steps, "large", 1, share=("A", "long"))
    await asyncio.to_thread(steps.began.wait, 60)
    bench.turns.enter("B")
    bench.gate.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(long)
    assert bench.log == ["0"]
    assert bench.queue.stuck_for() == 0
    bench.turns.leave("B")
    assert await long == "done"


async def test_a_job_that_pauses_stops_when_its_caller_goes(bench):
    steps = Operations("long", 1, bench.log, bench.gate)
    long = bench.queue.submit(steps, "large", 1, share=("A", "long"))
    await asyncio.to_thread(steps.began.wait, 60)
    bench.turns.enter("B")
    bench.gate.set()
    long.cancel()
    assert await bench.submit("next", 1, "B") == "next done"
    assert bench.log in (["next"], ["0", "next"])


async def test_a_job_does_not_start_before_its_turn(bench):
    bench.gate.set()
    bench.turns.enter("B")
    short = bench.submit("short", 1, "A")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(short)
    assert bench.log == []
    bench.turns.leave("B")
    assert await short == "short done"


async def test_one_tenant_leaves_a_thread_to_the_others():
    bench = Bench(2)
    flood = [bench.submit("flood", 1, "A") for _ in range(3)]
    await asyncio.to_thread(bench.steps.gate.wait, 0)
    other = bench.submit("other", 1, "B")
    await asyncio.to_thread(bench.steps.began.wait, 60)
    assert sorted(bench.log) == ["flood", "other"]
    bench.gate.set()
    assert await other == "other done"
    await asyncio.gather(*flood)
    bench.queue.close()


def test_a_piece_takes_about_a_twentieth_of_a_second():
    assert piece_size(1000, Cost(5.0)) == 10
    assert piece_size(1000, Cost(1e9)) == 1
    assert piece_size(10, Cost(0.01)) == 10
    assert piece_size(0, Cost(1.0)) == 1


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every job is large, in pieces of three examples. Returns the number of examples of each pass."""
    counts: list[int] = []
    original = input_encoder.encode_many

    def counted(learner, inputs):
        counts.append(len(inputs))
        return original(learner, inputs)

    monkeypatch.setattr(input_encoder, "encode_many", counted)
    monkeypatch.setattr(queues, "LARGE_ADAPT_S", -1)
    monkeypatch.setattr(queues, "LARGE_PREDICT_S", -1)
    monkeypatch.setattr("service.engine.pieces.SHORT_S", -1)
    monkeypatch.setattr("service.engine.pieces.piece_size", lambda count, cost: max(1, min(3, count)))
    return counts


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml"])
async def test_a_job_in_pieces_gives_the_same_as_one_in_a_batch(zoo, model, request):
    taught, queries = support(2, 4, 0), images(7, 1)
    with working(Settings(models=zoo)) as one:
        state = await one.adapt(model, "alice", taught)
        answers = await one.predict(model, "alice", queries)
    counts = request.getfixturevalue("all_large")
    with working(Settings(models=zoo)) as one:
        again = await one.adapt(model, "alice", taught)
        in_pieces = await one.predict(model, "alice", queries)
    for name, value in state.items():
        np.testing.assert_allclose(again[name], value, atol=1e-4, rtol=1e-3)
    np.testing.assert_allclose(in_pieces, answers, atol=1e-3, rtol=1e-3)
    assert counts == ([3, 3, 2, 3, 3, 1] if model == "glyphs" else [8, 3, 3, 1])


async def test_a_large_append_encodes_the_new_examples_alone(zoo, all_large):
    taught = support(2, 4, 0)
    first = taught._replace(inputs=taught.inputs[:6], targets=taught.targets[:6])
    with working(Settings(models=zoo)) as one:
        await one.adapt("glyphs", "first", first)
        all_large.clear()
        await one.adapt("glyphs", "second", taught, extends="first")
    assert all_large == [2]


async def test_a_large_job_that_misses_its_deadline_stops_and_small_ones_go_on(zoo, monkeypatch):
    gate, passes = threading.Event(), list[int]()
    original = Device.predict

    def gated(self, jobs):
        if len(jobs[0].queries) > 1:
            passes.append(len(jobs[0].queries))
            assert gate.wait(60)
        return original(self, jobs)

    monkeypatch.setattr(Device, "predict", gated)
    monkeypatch.setattr("service.engine.pieces.piece_size", lambda count, cost: 2)
    monkeypatch.setattr(budget.Budget, "predict", lambda self, job: Cost(len(job.queries) - 1, len(job.queries) - 1))
    with working(Settings(models=zoo, deadline_s=1)) as one:
        await one.adapt("glyphs", "alice", support(2, 1, 0))
        with pytest.raises(DeadlineExceeded):
            await one.predict("glyphs", "alice", images(100, 0))
        assert (await one.predict("glyphs", "alice", images(1, 0))).shape == (1, 2)
        gate.set()
        assert (await one.predict("glyphs", "alice", images(4, 0))).shape == (4, 2)
    assert passes == [2, 2, 2]


def test_a_short_large_adapt_is_encoded_and_adapted_in_one_piece(zoo):
    settings, short = Settings(models=zoo), Cost(SHORT_S, SHORT_S)
    done: list[object] = []
    job = AdaptJob("glyphs", "alice", support(2, 4, 0))
    pieces = LargeAdapt(job, short, lambda job, adapted, seconds: done.append(adapted), encodes=True)
    pieces.advance(Device(load(["glyphs"], settings), settings, compiling=False))
    assert len(done) == 1
    assert piece_size(30, short) == 30
    assert piece_size(30, Cost(3 * SHORT_S, 3 * SHORT_S)) < 10
