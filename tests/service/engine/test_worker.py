"""Many clients share one device, and each is answered as if it were alone."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from service import metrics
from service.arrays import SupportSet
from service.engine.base import StateNotCached
from service.engine.device import Device
from service.errors import DeadlineExceeded, Diverged, Unavailable
from service.settings import Settings
from tests.service.serving import working

pytestmark = pytest.mark.anyio

CLIENTS = [(ways, shots, queries) for ways in (2, 3, 5) for shots, queries in ((1, 1), (2, 7), (3, 3), (3, 4), (3, 1))]


class Gate:
    """Lets adapts or predicts run while it is open, and records the number of jobs of each batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.opened, self.sizes = threading.Event(), []
        original = getattr(Device, name)

        def gated(device: Device, works: list) -> list:
            assert self.opened.wait(60)
            self.sizes.append(len(works))
            return original(device, works)

        monkeypatch.setattr(Device, name, gated)


@pytest.fixture
def adapts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch, "adapt")
    yield gate
    gate.opened.set()


@pytest.fixture
def predicts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch, "predict")
    yield gate
    gate.opened.set()


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)


def support(ways: int, shots: int, seed: int) -> SupportSet:
    return SupportSet(images(ways * shots, seed), np.arange(ways * shots) % ways, ways)


def points(count: int, seed: int) -> SupportSet:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-5, 5, (count, 1)).astype(np.float32)
    return SupportSet(x, np.sin(x), ways=0)


async def together(gate: Gate, *calls) -> list:
    """The results of calls that all wait when the device begins."""
    gate.opened.clear()
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0)  # each call runs up to where it waits for the device
    gate.opened.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def one_by_one(gate: Gate, *calls) -> list:
    gate.opened.set()
    return [await call for call in calls]


def tasks_of(model: str) -> list[tuple[SupportSet, np.ndarray]]:
    """Supports of many sizes, and numbers of queries, all different clients."""
    if model == "sinusoid":
        sizes = [(1, 3), (5, 1), (6, 8), (10, 2), (9, 2)] * 3
        return [(points(count, i), points(queries, 99).inputs) for i, (count, queries) in enumerate(sizes)]
    return [(support(w, s, i), images(q, 100 + i)) for i, (w, s, q) in enumerate(CLIENTS)]


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml", "sinusoid"])
async def test_clients_that_adapt_together_get_the_states_that_each_gets_alone(zoo, adapts, model):
    supports = [support for support, _ in tasks_of(model)]
    with working(Settings(models=zoo)) as worker:
        alone = await one_by_one(adapts, *(worker.adapt(model, "alice", each) for each in supports))
        batched = await together(adapts, *(worker.adapt(model, "alice", each) for each in supports))
    assert max(adapts.sizes) > 1
    for state, expected in zip(batched, alone, strict=True):
        assert state.keys() == expected.keys()
        for name, value in state.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-4, rtol=1e-3)  # a step of 16 bits


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml", "sinusoid"])
async def test_clients_that_predict_together_get_the_answers_that_each_gets_alone(zoo, predicts, model):
    tasks = tasks_of(model)
    with working(Settings(models=zoo)) as worker:
        for key, (taught, _) in enumerate(tasks):
            await worker.adapt(model, key, taught)
        asked = [(model, key, queries) for key, (_, queries) in enumerate(tasks)]
        alone = await one_by_one(predicts, *(worker.predict(*each) for each in asked))
        batched = await together(predicts, *(worker.predict(*each) for each in asked))
    assert max(predicts.sizes) > 1
    for (_, _, queries), answer, expected in zip(asked, batched, alone, strict=True):
        assert len(answer) == len(queries)
        np.testing.assert_allclose(answer, expected, atol=1e-4, rtol=1e-4)
        assert (answer.argmax(-1) == expected.argmax(-1)).all()


async def test_a_client_with_diverging_weights_fails_alone(zoo, adapts):
    good, bad = points(5, 0), SupportSet(np.full((5, 1), 1e15, np.float32), np.full((5, 1), 1e15, np.float32), 0)
    with working(Settings(models=zoo)) as worker:
        outcomes = await together(
            adapts, *(worker.adapt("sinusoid", "alice", each) for each in (good, good, bad, good))
        )
    assert max(adapts.sizes) >= 3
    assert [type(outcome) for outcome in outcomes] == [dict, dict, Diverged, dict]


async def test_read_only_arrays_are_taken_as_they_come_from_a_socket(worker):
    taught, queries = support(2, 2, 0), images(1, 1)
    for array in (taught.inputs, taught.targets, queries):
        array.flags.writeable = False
    await worker.adapt("glyphs", "reader", taught)
    assert (await worker.predict("glyphs", "reader", queries)).shape == (1, 2)


async def test_a_state_that_was_never_cached_is_missed(worker):
    with pytest.raises(StateNotCached):
        await worker.predict("glyphs", "nobody", images(1, 0))


async def test_an_evicted_state_is_missed(zoo):
    with working(Settings(models=zoo, state_cache_bytes=1000)) as worker:
        for key in ("first", "second"):
            await worker.adapt("glyphs", key, support(3, 1, 0))
        with pytest.raises(StateNotCached):
            await worker.predict("glyphs", "first", images(1, 0))
        assert (await worker.predict("glyphs", "second", images(1, 0))).shape == (1, 3)


async def test_a_job_that_waits_beyond_the_deadline_is_refused_and_the_worker_goes_on(zoo, adapts):
    with working(Settings(models=zoo, deadline_s=0.01)) as worker:
        with pytest.raises(DeadlineExceeded, match=r"0\.01 s"):
            await worker.adapt("glyphs", "alice", support(2, 1, 0))
        adapts.opened.set()
        assert worker.alive()


async def test_a_device_busy_with_adapts_still_answers(zoo, adapts):
    with working(Settings(models=zoo)) as worker:
        await one_by_one(adapts, worker.adapt("glyphs", "alice", support(2, 1, 0)))
        adapts.opened.clear()
        adapting = asyncio.create_task(worker.adapt("glyphs", "bob", support(2, 1, 0)))
        assert (await worker.predict("glyphs", "alice", images(1, 0))).shape == (1, 2)
        assert not adapting.done()
        adapts.opened.set()
        await adapting


async def test_the_gauges_show_the_queue_and_the_cache(zoo, adapts):
    with working(Settings(models=zoo)) as worker:
        [state] = await one_by_one(adapts, worker.adapt("glyphs-maml", "alice", support(2, 1, 0)))
        adapts.opened.clear()
        clients = [asyncio.create_task(worker.adapt("glyphs", each, support(2, 1, 0))) for each in ("bob", "carol")]
        others = [asyncio.create_task(worker.adapt("glyphs", each, support(3, 1, 0))) for each in ("dan", "erin")]
        await asyncio.sleep(0)  # each runs up to where it waits for the device
        worker.measure()
        told = metrics.exposition().decode().splitlines()
        held = sum(value.nbytes for value in state.values())
        assert f"handful_state_cache_bytes {held:.1f}" in told
        assert {f'handful_queue_depth{{queue="adapt"}} {waiting:.1f}' for waiting in (2, 3, 4)} & set(told)
        adapts.opened.set()
        await asyncio.gather(*clients, *others)
        worker.measure()
        assert 'handful_queue_depth{queue="adapt"} 0.0' in metrics.exposition().decode().splitlines()


async def test_a_closed_worker_is_not_alive_and_refuses(zoo):
    with working(Settings(models=zoo)) as worker:
        assert worker.alive()
    assert not worker.alive()
    with pytest.raises(Unavailable):
        await worker.adapt("glyphs", "alice", support(2, 1, 0))


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml"])
async def test_a_model_adapts_and_answers_in_bfloat16(zoo, model):
    answers = []
    for precision in ("float32", "bfloat16"):
        with working(Settings(models=zoo, precision=precision)) as worker:
            for client in "ab":
                await worker.adapt(model, client, support(3, 2, 0))
            answers.append(await asyncio.gather(*(worker.predict(model, client, images(4, 1)) for client in "ab")))
    exact, reduced = (np.concatenate(each) for each in answers)
    assert np.abs(reduced - exact).max() < 0.2 * np.abs(exact).max()
