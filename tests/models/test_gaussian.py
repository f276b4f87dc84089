"""Answers with standard deviations: their density, their coverage, and the scores that they give."""

import pytest
import torch
from torch.distributions import Normal

from models.gaussian import covered, log_likelihood, negative_log_likelihood, parted
from models.learner import Kind
from models.training.evaluation import Predictions, score

VALUES, DEVIATIONS = torch.tensor([[0.0], [1.0], [4.0]]), torch.tensor([[1.0], [2.0], [0.5]])
ANSWERS, TARGETS = torch.cat([VALUES, DEVIATIONS], -1), torch.tensor([[0.5], [1.0], [6.0]])


def test_the_density_is_that_of_a_normal_distribution():
    expected = Normal(VALUES, DEVIATIONS).log_prob(TARGETS).squeeze(-1)
    torch.testing.assert_close(log_likelihood(ANSWERS, TARGETS), expected)


def test_the_loss_ignores_padding():
    mask = torch.tensor([True, True, False])
    expected = -Normal(VALUES, DEVIATIONS).log_prob(TARGETS)[:2].mean()
    torch.testing.assert_close(negative_log_likelihood(ANSWERS, TARGETS, mask), expected)


def test_targets_beyond_1_64_deviations_are_not_covered():
    assert covered(ANSWERS, TARGETS).item() == pytest.approx(2 / 3)


def test_answers_without_deviations_are_values():
    values, deviations = parted(VALUES, 1)
    assert deviations is None
    torch.testing.assert_close(values, VALUES)


def test_a_regression_with_deviations_has_more_scores():
    scores = score(Kind.REGRESSION, Predictions(ANSWERS, TARGETS))
    assert list(scores) == ["mse", "mae", "log_likelihood", "coverage_90"]
    assert scores["mse"] == pytest.approx((0.25 + 0 + 4) / 3)
    assert list(score(Kind.REGRESSION, Predictions(VALUES, TARGETS))) == ["mse", "mae"]
