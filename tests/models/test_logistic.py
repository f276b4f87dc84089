"""Logistic regression against L-BFGS, and against answers known by symmetry."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.learner import Episode, Support, full_mask
from models.learners.logistic import Logistic
from models.logistic_solver import logistic_coefficients, logistic_regression, logistic_regressions
from models.testing.case import padded
from tests.models.learners import STRIDED, fresh, query, support

SPEC = Spec("logistic", "conv4", {}, STRIDED)


def by_lbfgs(points: Tensor, targets: Tensor, ways: int, penalty: float) -> Tensor:
    """Weights (d, ways) at the minimum."""
    weights = torch.zeros(points.shape[1], ways, dtype=points.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=1000, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        lost = F.cross_entropy(points @ weights, targets, reduction="sum") + penalty / 2 * weights.square().sum()
        lost.backward()
        return lost

    optimiser.step(loss)
    return weights.detach()


@pytest.mark.parametrize(("ways", "shots", "penalty"), [(2, 1, 1.0), (5, 1, 0.1), (5, 5, 1.0), (20, 5, 1.0)])
def test_a_hundred_steps_end_where_lbfgs_ends(ways, shots, penalty):
    generator = torch.Generator().manual_seed(ways)
    means = torch.randn(ways, 1, 16, generator=generator, dtype=torch.float64)
    noise = torch.randn(ways, shots, 16, generator=generator, dtype=torch.float64)
    points = F.pad(F.normalize((means + noise).flatten(0, 1), dim=-1), (0, 1), value=1.0)
    targets = torch.arange(ways).repeat_interleave(shots)
    weights = logistic_regression(points, F.one_hot(targets).double(), penalty, 100)
    assert_close(weights, by_lbfgs(points, targets, ways, penalty), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shots", [10, 300])
def test_fifty_steps_end_near_the_minimum_with_many_examples_and_a_small_penalty(shots):
    generator = torch.Generator().manual_seed(0)
    means, noise = (torch.randn(10, count, 16, generator=generator, dtype=torch.float64) for count in (1, shots))
    points = F.pad(F.normalize((means + 2 * noise).flatten(0, 1), dim=-1), (0, 1), value=1.0)
    targets = torch.arange(10).repeat_interleave(shots)
    found = logistic_regression(points.float(), F.one_hot(targets).float(), 0.05, 50)
    expected = (points @ by_lbfgs(points, targets, 10, 0.05)).softmax(-1)
    assert_close((points @ found.double()).softmax(-1), expected, rtol=0, atol=0.03)


def test_a_learner_is_logistic_regression_on_normalised_features():
    learner, full, asked = fresh(SPEC, torch.float64), support(SPEC, [1, 3, 2], 0, torch.float64), query(SPEC, 4)
    seen, new = (F.normalize(learner.encoder(inputs), dim=-1) for inputs in (full.inputs, asked.double()))
    expected = by_lbfgs(F.pad(seen, (0, 1), value=1.0), full.targets, 3, 1.0)
    answers = learner.answer(padded(full, 4), asked.double())
    assert_close(answers, new @ expected[:-1] + expected[-1], rtol=0, atol=1e-6)


def test_classes_with_equal_examples_are_equally_likely():
    points = torch.ones(4, 3)
    learner = Logistic(nn.Identity())
    state = learner.adapt(learner.encode_support(Support(points, torch.tensor([0, 1, 0, 1]), full_mask(points), 2)))
    assert_close(learner.predict(state, learner.encode(points)).softmax(-1), torch.full((4, 2), 0.5))


def test_the_class_with_more_equal_examples_is_more_likely():
    points = torch.ones(5, 3)
    learner = Logistic(nn.Identity(), penalty=1e-3, iterations=1000)
    state = learner.adapt(learner.encode_support(Support(points, torch.tensor([0, 0, 0, 0, 1]), full_mask(points), 2)))
    assert_close(
        learner.predict(state, learner.encode(points[:1])).softmax(-1), torch.tensor([[0.8, 0.2]]), rtol=0, atol=1e-3
    )


def test_a_strong_penalty_leaves_the_weights_at_zero():
    learner, full = fresh(Spec("logistic", "conv4", {"penalty": 1e9}, STRIDED)), support(SPEC, [2, 2])
    assert learner.adapt(learner.encode_support(full))["weights"].abs().max() < 1e-8


def test_the_gradient_goes_through_the_descent_into_the_encoder():
    torch.manual_seed(0)
    learner = build(SPEC)
    full, asked = support(SPEC, [1, 2, 2]), support(SPEC, [2, 2, 2], 1)
    loss = learner.outer_loss(Episode(full, asked.inputs, asked.targets), 0.0)
    for gradient in torch.autograd.grad(loss, list(learner.parameters())):
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("penalty", [0.05, 1.0])
def test_the_coefficients_of_many_points_make_the_weights(penalty):
    generator = torch.Generator().manual_seed(0)
    points = F.pad(torch.randn(60, 16, generator=generator, dtype=torch.float64), (0, 1), value=1.0)
    labels = F.one_hot(torch.arange(60) % 3).double() * torch.linspace(0.2, 1, 60, dtype=torch.float64).unsqueeze(1)
    weights = logistic_regression(points, labels, penalty, 20)
    assert_close(points.mT @ logistic_coefficients(points, labels, penalty, 20), weights, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("numbers", [6, 40], ids=["more points", "more numbers"])
def test_several_problems_on_the_same_points_end_where_each_ends_alone(numbers):
    generator = torch.Generator().manual_seed(0)
    points = F.pad(torch.randn(24, numbers, generator=generator, dtype=torch.float64), (0, 1), value=1.0)
    labels = F.one_hot(torch.arange(24) % 3).double()
    there = torch.stack([torch.arange(24) >= 0, torch.arange(24) % 4 != 1, torch.arange(24) < 10], 1)
    penalties = torch.tensor([0.3, 2.0], dtype=torch.float64)
    found = logistic_regressions(points, labels.unsqueeze(1) * there.unsqueeze(-1), penalties, 500)
    for number, penalty in enumerate(penalties):
        for problem, inside in enumerate(there.T):
            alone = logistic_regression(points[inside], labels[inside], penalty, 500)
            assert_close(found[:, number, problem], alone, rtol=0, atol=1e-4)
