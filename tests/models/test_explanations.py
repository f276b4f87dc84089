"""What changes when an example is left out; that explanations add up is among the laws."""

import pytest
import torch
from torch.testing import assert_close

from models.explanations import NOTHING, contrasted, margins_without
from models.learner import Support
from models.learners.ridge import ridge_coefficients, ridge_regression
from models.logistic_solver import logistic_coefficients, logistic_regression
from tests.models.learners import TABLE, fresh, query, support

FIRST_AGAINST_SECOND = torch.tensor([[1.0, -1.0, 0.0]]).repeat(4, 1)


def without(given: Support, place: int) -> Support:
    kept = torch.arange(len(given.targets)) != place
    return Support(given.inputs[kept], given.targets[kept], given.mask[kept], given.ways)


@pytest.mark.parametrize("name", ["maml", "proto-maml", "relation", "tim", "gnn", "pmf"])
def test_it_equals_adapting_without_the_example(name):
    spec = TABLE[name]
    learner, given = fresh(spec, torch.float64), support(spec, [2, 2, 3], dtype=torch.float64)
    asked = query(spec, 4, dtype=torch.float64)
    given, asked = learner.encode_support(given), learner.encode(asked)
    contrast = FIRST_AGAINST_SECOND.double()
    found = margins_without(learner, given, asked, contrast, torch.tensor([NOTHING, 0, 4]))
    expected = [contrasted(learner.predict(learner.adapt(each), asked), contrast) for each in (
        given, without(given, 0), without(given, 4)
    )]  # fmt: skip
    assert_close(found, torch.stack(expected), rtol=1e-9, atol=1e-9)


def test_the_only_example_of_a_class_takes_the_class_away():
    spec = TABLE["proto-maml"]
    learner, given = fresh(spec, torch.float64), support(spec, [1, 2, 1], dtype=torch.float64)
    asked, contrast = query(spec, 4, dtype=torch.float64), FIRST_AGAINST_SECOND.double()
    gone, others = margins_without(learner, given, asked, contrast, torch.tensor([0, 3]))
    assert gone.isnan().all()
    two = Support(given.inputs[:3], given.targets[:3], given.mask[:3], ways=2)
    assert_close(others, contrasted(learner.predict(learner.adapt(two), asked), contrast[:, :2]))


def test_of_two_classes_neither_can_go():
    spec = TABLE["proto-maml"]
    learner, given = fresh(spec), support(spec, [1, 2])
    contrast = FIRST_AGAINST_SECOND[:, :2]
    assert margins_without(learner, given, query(spec, 4), contrast, torch.tensor([0])).isnan().all()


@pytest.mark.parametrize(("count", "numbers"), [(5, 12), (30, 6)])
def test_coefficients_combine_the_points_to_the_weights(count, numbers):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(count, numbers, generator=generator, dtype=torch.float64)
    labels = torch.eye(3, dtype=torch.float64)[torch.arange(count) % 3]
    ridge = torch.tensor(0.7, dtype=torch.float64)
    assert_close(points.T @ ridge_coefficients(points, labels, ridge), ridge_regression(points, labels, ridge))
    assert_close(
        points.T @ logistic_coefficients(points, labels, 0.05, 20), logistic_regression(points, labels, 0.05, 20)
    )
