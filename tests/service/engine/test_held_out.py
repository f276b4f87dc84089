"""Each example is answered as if it had not been learned, for every model of the zoo."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from service.arrays import SupportSet, text_array
from service.cards import Catalogue
from service.engine.base import StateNotCached
from service.engine.costs import Cost
from service.engine.folds import NEVER
from service.engine.worker import Worker
from service.errors import TooCostly
from service.inputs.prepare import fit, prepare
from service.settings import ZOO, Settings
from tests.service.engine.test_worker import images, points, support
from tests.service.serving import working

pytestmark = pytest.mark.anyio

CATALOGUE = Catalogue(ZOO)
SIZES = {True: 5, False: 7}
"""Examples of a regression, and of three classes."""


@pytest.fixture
def one(request) -> Iterator[Worker]:
    worker = Worker([request.param], Settings(deadline_s=600))
    worker.start()
    yield worker
    worker.close()


async def supported(name: str) -> SupportSet:
    """A support set of a model. The third class has one example."""
    card = CATALOGUE[name]
    regression, rng = card.kind == "regression", np.random.default_rng(0)
    raw = np.asarray(card.input.examples(SIZES[regression], rng))
    columns, _ = await fit(card.input, raw)
    inputs = await prepare(card.input, raw, columns)
    if regression:
        return SupportSet(inputs, rng.normal(size=(len(inputs), card.outputs)).astype(np.float32), 0)
    return SupportSet(inputs, np.array([0, 0, 1, 1, 0, 1, 2]), 3, text_array(["cat", "dog", "owl"]))


@pytest.mark.parametrize(("one", "name"), [(name, name) for name in CATALOGUE], indirect=["one"])
async def test_the_answers_equal_those_of_adapting_without_the_example(one, name):
    whole = await supported(name)
    found = await one.held_out(name, "nobody", whole)
    count = len(whole.targets)
    never = [count - 1] if whole.ways else []
    assert np.flatnonzero(found["fold"] == NEVER).tolist() == never
    for place in set(range(count)) - set(never):
        others = np.delete(np.arange(count), place)
        part = SupportSet(whole.inputs[others], whole.targets[others], whole.ways, whole.names)
        await one.adapt(name, "by hand", part)
        expected = await one.predict(name, "by hand", whole.inputs[[place]])
        np.testing.assert_allclose(found["answers"][place], expected[0], rtol=2e-3, atol=2e-3)
    assert np.isnan(found["answers"][never]).all()


async def test_queries_are_as_familiar_with_cached_features_as_without(zoo):
    taught, queries = support(3, 3, 0), np.concatenate([support(3, 3, 0).inputs[:2], images(3, 9)])
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        with pytest.raises(StateNotCached):
            await worker.familiar("glyphs", "alice", queries)
        without = await worker.familiar("glyphs", "alice", queries, taught)
        await worker.adapt("glyphs", "alice", taught)
        cached = await worker.familiar("glyphs", "alice", queries)
    np.testing.assert_allclose(without, cached, rtol=1e-4, atol=1e-4)
    assert without.shape == (5,)


async def test_features_that_were_sent_again_are_kept_beside_the_state(zoo):
    taught, queries = support(3, 3, 0), images(3, 9)
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        state = await worker.adapt("glyphs", "alice", taught)
        worker.evict("alice")
        await worker.predict("glyphs", "alice", queries, state)
        with pytest.raises(StateNotCached):
            await worker.familiar("glyphs", "alice", queries)
        first = await worker.familiar("glyphs", "alice", queries, taught)
        np.testing.assert_allclose(await worker.familiar("glyphs", "alice", queries), first, rtol=1e-4, atol=1e-4)


async def test_a_left_out_example_is_as_familiar_as_a_query(zoo):
    taught = support(3, 3, 0)
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        found = await worker.held_out("glyphs", "alice", taught)
        others = np.arange(1, 9)
        part = SupportSet(taught.inputs[others], taught.targets[others], 3)
        expected = await worker.familiar("glyphs", "bob", taught.inputs[:1], part)
    np.testing.assert_allclose(found["familiar"][0], expected[0], rtol=1e-4, atol=1e-4)


async def test_a_model_without_shared_features_cannot_tell_what_is_familiar(zoo):
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        found = await worker.held_out("glyphs-maml", "alice", support(2, 2, 0))
        assert np.isnan(found["familiar"]).all()
        assert np.isnan(await worker.familiar("glyphs-maml", "alice", images(2, 0), support(2, 2, 0))).all()


@pytest.mark.parametrize("model", ["glyphs", "glyphs-maml"])
async def test_cached_features_change_nothing(zoo, model):
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        taught = support(3, 3, 0)
        without = await worker.held_out(model, "alice", taught)
        await worker.adapt(model, "alice", taught)
        again = await worker.held_out(model, "alice", taught)
    np.testing.assert_allclose(without["answers"], again["answers"], rtol=1e-4, atol=1e-4)


async def test_folds_that_run_in_pieces_give_the_same_answers(zoo, monkeypatch):
    taught = support(3, 3, 0)
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        whole = await worker.held_out("glyphs", "alice", taught)
    with working(Settings(models=zoo, deadline_s=600, batch_jobs=2)) as worker:
        pieces = await worker.held_out("glyphs", "alice", taught)
    np.testing.assert_allclose(pieces["answers"], whole["answers"], rtol=1e-4, atol=1e-4)


async def test_fewer_folds_are_used_where_leaving_out_one_by_one_takes_too_long(zoo, monkeypatch):
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        refuse_above(worker, 5, monkeypatch)
        found = await worker.held_out("sinusoid", "alice", points(12, 0))
        assert sorted(set(found["fold"].tolist())) == list(range(5))
        refuse_above(worker, 4, monkeypatch)
        with pytest.raises(TooCostly, match="5 folds"):
            await worker.held_out("sinusoid", "alice", points(12, 0))


def refuse_above(worker: Worker, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(job: object, count: int, numbers: int) -> Cost:
        if count > most:
            raise TooCostly(f"{count} folds are too many")
        return Cost(0.01, 0.01)

    monkeypatch.setattr(worker.budget, "held_out", cost)


async def test_nothing_is_answered_where_each_class_has_one_example(zoo):
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        found = await worker.held_out("glyphs", "alice", support(3, 1, 0))
    assert (found["fold"] == NEVER).all()


async def test_others_are_answered_while_folds_run(zoo):
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        await worker.adapt("glyphs", "bob", support(2, 1, 0))
        folds = asyncio.create_task(worker.held_out("glyphs", "alice", support(5, 5, 0), share=("acme", "alice")))
        assert (await worker.predict("glyphs", "bob", images(1, 0))).shape == (1, 2)
        assert (await folds)["answers"].shape == (25, 5)
