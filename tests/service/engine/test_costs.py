"""Costs are estimated from a few measured jobs, and jobs over the budget are refused with the number that fits."""

import asyncio
import re

import numpy as np
import pytest
import torch

from models import checkpoint
from service.arrays import SupportSet
from service.cards import Catalogue
from service.engine.budget import Budget
from service.engine.costs import FREE, Curve, adapt_terms, fit, most_that_fits, predict_terms
from service.engine.jobs import AdaptJob, PredictJob
from service.engine.warmup import measure_costs
from service.engine.worker import Worker
from service.errors import TooCostly
from service.settings import Settings
from tests.service.engine.test_worker import images, support
from tests.service.serving import working

pytestmark = pytest.mark.anyio


def seconds_of(new: int, examples: int, ways: int) -> float:
    """An adapt of 2 ms, 1 ms for each new example, 0.5 ms for each example, 0.1 ms for each class."""
    return 0.002 + 0.001 * new + 0.0005 * examples + 0.0001 * ways


def measured() -> Curve:
    curve = Curve()
    for new, examples, ways in ((2, 2, 2), (16, 16, 2), (16, 16, 8), (1, 16, 2), (64, 64, 2)):
        curve.measure(adapt_terms(new, examples, ways), seconds_of(new, examples, ways))
    return curve


@pytest.mark.parametrize("sizes", [(5, 5, 5), (2000, 2000, 256), (1, 2000, 2)])
def test_estimates_far_from_the_measurements_are_right(sizes):
    assert measured().cost(adapt_terms(*sizes)).seconds == pytest.approx(seconds_of(*sizes), rel=0.01)


def test_the_marginal_cost_leaves_out_what_a_batch_pays_once():
    cost = measured().cost(adapt_terms(10, 10, 2))
    assert cost.seconds - cost.marginal == pytest.approx(0.002, rel=0.01)


def test_nothing_is_known_before_anything_is_measured():
    assert Curve().cost(adapt_terms(9, 9, 9)) == FREE


def test_no_coefficient_is_negative():
    assert (fit([(1.0, 2), (1.0, 4), (1.0, 8)], [3.0, 2.0, 1.0]) >= 0).all()


def test_the_faster_run_of_a_job_counts():
    curve = Curve()
    for seconds in (1.0, 0.01, 0.5):
        curve.measure(adapt_terms(2, 2, 2), seconds)
    assert curve.cost(adapt_terms(2, 2, 2)).seconds == pytest.approx(0.01)


def test_a_job_unlike_its_estimate_corrects_the_curve():
    curve = measured()
    curve.measure(adapt_terms(2000, 2000, 2), 30.0)
    assert curve.cost(adapt_terms(2000, 2000, 2)).seconds > 10


def test_only_some_learners_grow_with_the_square_of_the_state():
    assert predict_terms(3, 10, together=False, crowded=False) == (1, 3, 30, 0, 0, 0)
    assert predict_terms(3, 10, together=True, crowded=True) == (1, 3, 30, 0, 300, 1)


@pytest.mark.parametrize(("limit", "most"), [(5.5, 5), (0.5, 0), (1.0, 1)])
def test_the_largest_number_that_fits(limit, most):
    assert most_that_fits(float, 100, limit) == most


@pytest.fixture
def budget(zoo) -> Budget:
    """A budget of 1 s, for a model that takes 10 ms an example and 2 ms a query."""
    budget = Budget({"glyphs": checkpoint.load(zoo / "glyphs.safetensors")}, limit_s=1.0, limit_bytes=10**7)
    budget.measuring = True
    for count in (10, 20):
        budget.measure_adapt(AdaptJob("glyphs", "", support(2, count // 2, 0)), 0.01 * count)
        budget.measure_predict(
            PredictJob("glyphs", {"prototypes": torch.zeros(2, 64)}, images(count, 0)), 0.002 * count
        )
    return budget


def test_a_job_over_the_budget_is_refused_with_the_number_that_fits(budget):
    with pytest.raises(TooCostly, match=r"support: .* 200 examples takes about 2 s.*1 s \(HANDFUL_MAX_JOB_S\)") as it:
        budget.adapt(AdaptJob("glyphs", "", support(2, 100, 0)))
    most = int(re.search(r"at most (\d+) examples", str(it.value))[1])
    assert it.value.field == "support"
    assert most in range(96, 101)
    budget.adapt(AdaptJob("glyphs", "", SupportSet(images(most, 0), np.arange(most) % 2, 2)))
    with pytest.raises(TooCostly, match=r"inputs: .* at most \d+ inputs"):
        budget.predict(PredictJob("glyphs", {"prototypes": torch.zeros(2, 64)}, images(900, 0)))


def test_an_append_pays_for_the_new_examples_alone(budget):
    job = AdaptJob("glyphs", "", support(2, 10, 0), features=torch.zeros(19, 64))
    assert budget.adapt(job).seconds < budget.adapt(job._replace(features=None)).seconds


async def test_the_cost_of_encoding_is_told_from_that_of_adapting(zoo):
    """Leaving out each example encodes it once and adapts many times."""
    card = Catalogue(zoo)["glyphs"]
    with working(Settings(models=zoo, feature_cache_bytes=0, deadline_s=600)) as worker:
        worker.budget.measuring = True
        await measure_costs(worker, card)
        terms = worker.budget._adapts["glyphs"]._measured
    assert {new for _, new, *_ in terms} == {0, 2, 8}
    assert {examples for _, new, examples, *_ in terms if new == 0} == {2, 8}


def test_the_cost_of_leaving_out_grows_with_the_folds_and_is_limited(budget):
    job = AdaptJob("glyphs", "", support(2, 10, 0))
    few, many = (budget.held_out(job, folds, 128).seconds for folds in (2, 5))
    assert 0 < few < many < 1
    known = job._replace(features=torch.zeros(20, 64))
    assert budget.held_out(known, 2, 128).seconds <= few
    with pytest.raises(TooCostly, match=r"20 examples of glyphs in 1000 folds .* 1 s \(HANDFUL_MAX_JOB_S\)"):
        budget.held_out(job, 1000, 128)


def test_as_many_adapts_run_together_as_fit_into_memory(budget):
    job = AdaptJob("glyphs", "", support(2, 4, 0))
    assert budget.fit_together(job, 16) == 16
    budget.measure_memory(job, 4 * 10**6)
    assert budget.fit_together(job, 16) == 2
    budget.measure_memory(job, 10**9)
    assert budget.fit_together(AdaptJob("glyphs", "", support(2, 100, 0)), 16) == 1


async def test_a_refused_job_never_reaches_the_queue(zoo):
    with working(Settings(models=zoo, max_job_s=1e-9)) as worker:
        worker.budget.measuring = True
        await worker.adapt("glyphs", "alice", support(2, 1, 0))
        with pytest.raises(TooCostly):
            await worker.adapt("glyphs", "bob", support(2, 2, 0))
        assert worker.alive()


async def test_a_support_set_that_was_accepted_before_is_never_too_costly(zoo):
    with working(Settings(models=zoo, max_job_s=1e-9)) as worker:
        worker.budget.measuring = True
        await worker.adapt("glyphs", "alice", support(2, 1, 0))
        assert await worker.adapt("glyphs", "bob", support(2, 2, 0), rebuild=True)


async def test_jobs_are_measured_as_they_run(zoo):
    with working(Settings(models=zoo)) as worker:
        worker.budget.measuring = True
        await worker.adapt("glyphs", "alice", support(2, 4, 0))
        await asyncio.gather(*(worker.predict("glyphs", "alice", images(3, 0)) for _ in range(1)))
        assert worker.budget.adapt(AdaptJob("glyphs", "", support(2, 4, 0))).seconds > 0
        assert worker.budget.predict(PredictJob("glyphs", {"prototypes": torch.zeros(2, 64)}, images(3, 0))).seconds > 0


def test_an_adapt_that_takes_too_much_memory_is_refused_with_the_number_that_fits(budget):
    for count in (10, 20):
        budget.measure_memory(AdaptJob("glyphs", "", support(2, count // 2, 0)), 10**5 * count)
    budget.adapt(AdaptJob("glyphs", "", support(2, 30, 0)))
    budget._limit_s = 100
    with pytest.raises(TooCostly, match=r"10 MB \(HANDFUL_MAX_JOB_BYTES\)\. Send at most (9\d|100) examples"):
        budget.adapt(AdaptJob("glyphs", "", support(2, 60, 0)))


def test_the_worker_measures_the_memory_of_an_adapt(zoo):
    worker = Worker(["glyphs-maml", "glyphs"], Settings(models=zoo, max_job_bytes=2**20))
    for shots in (2, 8):
        for model in ("glyphs-maml", "glyphs"):
            worker.measure_memory(model, support(2, shots, 0))
    worker.budget.adapt(AdaptJob("glyphs", "", support(2, 100, 0)))
    job = AdaptJob("glyphs-maml", "", support(2, 1000, 0))
    assert worker.budget._memory["glyphs-maml"].total((1, 2000, 2000, 2, 1744)) > job.support.inputs.nbytes
    with pytest.raises(TooCostly, match="HANDFUL_MAX_JOB_BYTES"):
        worker.budget.adapt(job)


@pytest.mark.parametrize("seed", range(50))
def test_a_size_that_was_0_in_every_measured_job_costs_nothing(seed):
    rng = np.random.default_rng(seed)
    terms = [(1.0, 0.0, float(rng.integers(1, 200)), float(rng.integers(2, 20)), 0.0) for _ in range(12)]
    coefficients = fit(terms, [0.01 + 0.001 * each[2] * rng.uniform(0.8, 1.2) for each in terms])
    assert coefficients[[1, 4]].tolist() == [0, 0]
    assert (coefficients < 1).all()


def test_a_measurement_that_says_nothing_changes_no_estimate():
    curve = Curve()
    for amount in (2.0, 0.0, float("nan")):
        curve.measure((1.0, 1.0), amount)
    assert curve.total((1.0, 1.0)) == pytest.approx(2.0)
