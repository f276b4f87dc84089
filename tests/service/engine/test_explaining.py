"""What examples contribute to answers, for every model of the zoo."""

from collections.abc import Iterator

import numpy as np
import pytest

from service.arrays import SupportSet
from service.cards import Catalogue
from service.engine.worker import Worker
from service.errors import TooCostly
from service.inputs.prepare import fit, prepare
from service.settings import ZOO, Settings
from service.use_cases.explanation import explained
from tests.service.engine.test_held_out import supported
from tests.service.engine.test_worker import images, support
from tests.service.serving import working

pytestmark = pytest.mark.anyio

CATALOGUE = Catalogue(ZOO)
EXACT = {"Averaged kernel ridge regression", "Cosine prototypes", "Gated ridge regression", "Matching networks"}
EXACT |= {"Logistic regression on frozen features", "Logistic regression on frozen features and class names"}
EXACT |= {"Prototypical networks", "Ridge regression head (R2-D2)"}
EXACT |= {"Averaged kernel ridge regression on mixtures of kernels"}
"""Algorithms whose explanations add up exactly."""


@pytest.fixture
def one(request) -> Iterator[Worker]:
    worker = Worker([request.param], Settings(deadline_s=600, state_precision="float32"))
    worker.start()
    yield worker
    worker.close()


async def queries_of(name: str, count: int) -> np.ndarray:
    """Queries that are not examples; the columns of a table are those of the examples."""
    card = CATALOGUE[name]
    columns, _ = await fit(card.input, np.asarray(card.input.examples(5 if card.kind == "regression" else 7, rng(0))))
    return await prepare(card.input, np.asarray(card.input.examples(count, rng(1))), columns)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("one", "name"), [(name, name) for name in CATALOGUE], indirect=["one"])
async def test_an_explanation_says_what_the_answer_is_made_of(one, name):
    whole, queries, card = await supported(name), await queries_of(name, 2), CATALOGUE[name]
    await one.adapt(name, "alice", whole)
    asked = explained(card, np.repeat((await one.predict(name, "alice", queries))[:1], 2, 0))  # one difference for both
    found = await one.explain(name, "alice", queries, asked.contrast, whole, 5)
    assert found["weights"].shape == (2, len(whole.targets))
    assert bool(found["exact"][0]) == (card.algorithm in EXACT)
    check = exact if found["exact"][0] else left_out
    await check(one, name, whole, queries, asked, found)


async def exact(one, name, whole, queries, asked, found):
    """The weights add up to the difference, with a base that is the same for all queries."""
    answers = await one.predict(name, "alice", queries)
    if found["votes"][0]:
        powers = np.exp(answers)
        answers = powers / powers.sum(-1, keepdims=True)
    sums = found["weights"].sum(-1) + found["names"].sum(-1)
    first, second = (answers * asked.contrast).sum(-1) - sums
    assert first == pytest.approx(second, abs=2e-4)


async def left_out(one, name, whole, queries, asked, found):
    """The weight of an example is what changes without it."""
    before = (await one.predict(name, "alice", queries) * asked.contrast).sum(-1)
    rounding = 2e-4 * max(10, np.abs(before).max())  # of the answers, whose difference may be a hundred times smaller
    for place in range(len(whole.targets)):
        others = np.delete(np.arange(len(whole.targets)), place)
        part = SupportSet(whole.inputs[others], whole.targets[others], whole.ways, whole.names)
        contrast = asked.contrast
        if whole.ways and CATALOGUE[name].max_ways is None and not (part.targets == whole.targets[place]).any():
            part, contrast = part._replace(ways=2), contrast[:, :2]  # the last class has one example
            found["weights"][asked.contrast[:, 2] != 0, place] = np.nan
        await one.adapt(name, "by hand", part)
        after = (await one.predict(name, "by hand", queries) * contrast).sum(-1)
        known = np.isfinite(found["weights"][:, place])
        np.testing.assert_allclose((before - after)[known], found["weights"][known, place], rtol=2e-3, atol=rounding)
        gone = whole.ways and asked.contrast[:, whole.targets[place]] != 0
        assert (known | gone).all()


async def test_an_explanation_is_the_same_with_cached_features_as_without(zoo):
    taught, queries = support(3, 3, 0), images(3, 9)
    contrast = np.eye(3, dtype=np.float32) - np.roll(np.eye(3, dtype=np.float32), 1, 0)
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        without = await worker.explain("glyphs", "alice", queries, contrast, taught)
        await worker.adapt("glyphs", "alice", taught)
        cached = await worker.explain("glyphs", "alice", queries, contrast, taught)
    np.testing.assert_allclose(cached["weights"], without["weights"], rtol=1e-4, atol=1e-4)


async def test_leaving_out_in_pieces_gives_the_same(zoo, monkeypatch):
    taught, queries = support(3, 3, 0), images(2, 9)
    contrast = np.eye(3, dtype=np.float32)[:2] - np.eye(3, dtype=np.float32)[1:]
    with working(Settings(models=zoo, deadline_s=600)) as worker:
        whole = await worker.explain("glyphs-maml", "alice", queries, contrast, taught)
        monkeypatch.setattr("service.engine.explaining.ANSWERS_AT_ONCE", 4)
        pieces = await worker.explain("glyphs-maml", "alice", queries, contrast, taught)
    np.testing.assert_allclose(pieces["weights"], whole["weights"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("parts", [0, 300])
async def test_what_takes_too_long_is_refused_with_the_number_that_fits(zoo, parts):
    taught, queries = support(3, 3, 0), images(30, 9)
    contrast = np.repeat(np.array([[1, -1, 0]], np.float32), 30, 0)
    with working(Settings(models=zoo, max_job_s=1.0)) as worker:
        await worker.adapt("glyphs-maml", "alice", taught)
        worker.budget.measuring = True
        for count in (1, 9):
            worker.budget._adapts["glyphs-maml"].measure((1.0, 0.0, count, 3, 0), 0.001)
        for count in (1, 30):
            numbers = sum(each.numel() for each in worker._cache.get("alice").state.values())
            worker.budget._predicts["glyphs-maml"].measure((1.0, count, count * numbers, 0, 0, 0), 0.02 * count)
        with pytest.raises(TooCostly, match=r"Send at most ([1-5]) inputs"):
            await worker.explain("glyphs-maml", "alice", queries, contrast, taught, parts)
