"""The worker encodes the examples of all waiting clients in one pass, and each example of a client once."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from service.arrays import SupportSet
from service.engine.costs import Cost
from service.engine.device import Device
from service.engine.jobs import AdaptJob
from service.errors import TooCostly
from service.settings import Settings
from tests.service.drawings import letters
from tests.service.engine.test_worker import Gate, images, support, together
from tests.service.serving import serving, working

pytestmark = pytest.mark.anyio

MODEL = "glyphs"


@pytest.fixture
def adapts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch, "adapt")
    yield gate
    gate.opened.set()


def appended(first: SupportSet, count: int) -> SupportSet:
    """The support set with examples added, of the same classes."""
    more = support(2, count, seed=99)
    return SupportSet(
        np.concatenate([first.inputs, more.inputs[:count]]),
        np.concatenate([first.targets, more.targets[:count]]),
        first.ways,
    )


async def test_waiting_clients_of_all_sizes_are_encoded_in_one_pass_without_padding(zoo, adapts, passes):
    sizes = [(2, 1), (3, 5), (5, 2), (2, 9)]
    with working(Settings(models=zoo)) as worker:
        await together(adapts, *(worker.adapt(MODEL, str(i), support(*size, i)) for i, size in enumerate(sizes)))
        assert sum(passes) == sum(ways * shots for ways, shots in sizes)
        assert len(passes) <= 2, "the first job may run alone, before the others have arrived"
        passes.clear()
        asked = (worker.predict(MODEL, str(i), images(i + 1, i)) for i in range(len(sizes)))
        await asyncio.gather(*asked)
        assert sum(passes) == 1 + 2 + 3 + 4


async def test_an_append_of_one_example_to_a_hundred_encodes_one(zoo, passes):
    first = support(2, 50, seed=0)
    with working(Settings(models=zoo)) as worker:
        await worker.adapt(MODEL, "first", first)
        state = await worker.adapt(MODEL, "second", appended(first, 1), extends="first")
        assert passes == [100, 1]
        await worker.adapt(MODEL, "third", appended(appended(first, 1), 1), extends="second")
        assert passes == [100, 1, 1]
        scratch = await worker.adapt(MODEL, "scratch", appended(first, 1))
        assert passes[3:] == [101]
        answers = [await worker.predict(MODEL, key, images(5, 1)) for key in ("second", "scratch")]
    np.testing.assert_allclose(state["prototypes"], scratch["prototypes"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-4)


async def test_an_append_encodes_all_when_the_features_are_no_longer_cached(zoo, passes):
    first = support(2, 4, seed=0)
    with working(Settings(models=zoo)) as worker:
        state = await worker.adapt(MODEL, "first", first)
        worker.evict("first")
        await worker.adapt(MODEL, "second", appended(first, 1), extends="first")
        worker.put("first", state)  # back from the store, without the features
        await worker.adapt(MODEL, "third", appended(first, 1), extends="first")
        await worker.adapt(MODEL, "fourth", appended(first, 1), extends="never")
    assert passes == [8, 9, 9, 9]


@pytest.mark.parametrize("model", ["glyphs-maml", "sinusoid"])
async def test_models_that_do_not_encode_keep_no_features(zoo, model):
    inputs = images(4, 0) if model == "glyphs-maml" else np.ones((4, 1), np.float32)
    targets = np.arange(4) % 2 if model == "glyphs-maml" else np.ones((4, 1), np.float32)
    ways = 2 if model == "glyphs-maml" else 0
    with working(Settings(models=zoo)) as worker:
        state = await worker.adapt(model, "first", SupportSet(inputs, targets, ways))
        again = await worker.adapt(model, "second", SupportSet(inputs, targets, ways), extends="first")
        assert worker._cache.bytes == 2 * sum(value.nbytes for value in state.values())
    for name, value in state.items():
        np.testing.assert_array_equal(value, again[name])


async def test_features_count_as_bytes_of_the_cache(zoo):
    with working(Settings(models=zoo)) as worker:
        state = await worker.adapt(MODEL, "alice", support(2, 5, 0))
        kept = worker._cache.get("alice")
        assert kept is not None
        assert kept.features is not None
        assert len(kept.features) == 10
        assert worker._cache.bytes == kept.features.nbytes + sum(value.nbytes for value in state.values())


async def test_a_state_stays_on_the_device_when_it_is_copied_to_the_host(zoo, monkeypatch):
    placed = []
    monkeypatch.setattr(Device, "place", lambda self, state: placed.append(state))
    with working(Settings(models=zoo)) as worker:
        state = await worker.adapt(MODEL, "alice", support(2, 1, 0))
        kept = worker._cache.get("alice")
        assert kept is not None
        assert await worker.predict(MODEL, "alice", images(1, 0)) is not None
    assert placed == []
    assert torch.equal(kept.state["prototypes"], torch.from_numpy(state["prototypes"]))


def test_an_append_over_http_encodes_only_the_new_example(settings, redis, passes):
    with working(settings) as worker, serving(settings, worker) as api:
        body = {"client_id": "alice", "model": MODEL, "support": letters("LVZ" * 4)}
        assert api.post("/adapt", json=body).status_code == 200
        passes.clear()
        body |= {"support": letters("N"), "mode": "append"}
        assert api.post("/adapt", json=body).status_code == 200
    assert passes == [len(letters("N"))]


async def test_features_of_queries_in_pieces_equal_those_in_one(zoo, monkeypatch):
    queries = images(9, 0)
    with working(Settings(models=zoo, feature_cache_bytes=0)) as worker:
        whole = await worker.features(MODEL, queries)
        expected = worker._queues.predicting.encode(MODEL, [queries])[0].flatten(1).numpy()
        np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-4)
        monkeypatch.setattr(worker.budget, "encode", lambda *_: Cost(0.5, 0.5))
        np.testing.assert_allclose(await worker.features(MODEL, queries), whole, rtol=1e-4, atol=1e-4)


async def test_the_features_of_a_model_without_an_encoder_are_the_numbers_of_the_inputs(zoo):
    queries = images(3, 0)
    with working(Settings(models=zoo)) as worker:
        assert np.array_equal(await worker.features("glyphs-maml", queries), queries.reshape(3, -1))


async def test_features_that_take_too_long_are_refused_before_work(zoo, passes, monkeypatch):
    with working(Settings(models=zoo)) as worker:
        taught = support(2, 9, 0)
        worker.budget.measuring = True
        worker.budget.measure_adapt(AdaptJob(MODEL, "", taught), 1.0)
        worker.budget.measure_adapt(
            AdaptJob(MODEL, "", taught, worker._queues.adapting.encode(MODEL, [taught.inputs])[0]), 0.1
        )
        monkeypatch.setattr(worker.budget, "_limit_s", 0.1)
        passes.clear()
        with pytest.raises(TooCostly, match="Send fewer inputs"):
            await worker.features(MODEL, images(9, 0))
        assert passes == []
