"""Averaged kernel ridge regression on rows of a table with missing numbers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from models.learner import Support
from models.learners.column_kernels import kernels, relevance, scaling
from tests.models.learners import TABLE, fresh

CLASSIFIER, REGRESSOR = fresh(TABLE["kernels"]), fresh(TABLE["kernels-regression"])


def support(rows, targets, ways=0):
    inputs, values = torch.tensor(rows, dtype=torch.float32), torch.tensor(targets)
    return Support(inputs, values if ways else values.float()[:, None], torch.ones(len(rows), dtype=torch.bool), ways)


def noise(count, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(count, columns))


def test_labels_without_a_pattern_give_the_frequencies_of_the_classes():
    rows, labels = noise(200, 5), np.random.default_rng(1).choice(2, 200, p=[0.8, 0.2])
    answers = CLASSIFIER.answer(support(rows, labels, 2), torch.tensor(noise(50, 5, 2), dtype=torch.float32))
    assert answers.softmax(-1)[:, 1].mean() == pytest.approx(labels.mean(), abs=0.05)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_the_unit_of_a_column_changes_nothing(scale):
    rows, query = noise(40, 4), noise(9, 4, 1)
    labels, factor = (rows[:, 0] > 0).astype(int), np.array([scale, 1, 1, 1])
    one = CLASSIFIER.answer(support(rows, labels, 2), torch.tensor(query, dtype=torch.float32))
    other = CLASSIFIER.answer(support(rows * factor, labels, 2), torch.tensor(query * factor, dtype=torch.float32))
    assert_allclose(other, one, atol=1e-2)


def test_an_outlier_does_not_spoil_a_column():
    rows, query = noise(60, 2), noise(200, 2, 1)
    labels = (rows[:, 0] > 0).astype(int)
    rows[0, 0] = 1e6 if labels[0] else -1e6
    answers = CLASSIFIER.answer(support(rows, labels, 2), torch.tensor(query, dtype=torch.float32))
    assert (answers.argmax(-1).numpy() == (query[:, 0] > 0)).mean() > 0.8


def test_it_learns_from_what_is_missing():
    rows = noise(60, 3)
    labels = np.arange(60) % 2
    rows[labels == 1, 1] = np.nan
    query = torch.tensor(noise(10, 3, 1), dtype=torch.float32)
    query[:5, 1] = torch.nan
    assert CLASSIFIER.answer(support(rows, labels, 2), query).argmax(-1).tolist() == [1] * 5 + [0] * 5


def test_a_missing_number_in_a_query_alone_is_answered():
    rows = noise(30, 3)
    labels = (rows[:, 0] > 0).astype(int)
    query = torch.tensor([[torch.nan, 0.0, 0.0], [torch.nan] * 3])
    assert CLASSIFIER.answer(support(rows, labels, 2), query).isfinite().all()


@pytest.mark.parametrize("rows", [np.zeros((6, 1)), np.full((6, 2), np.nan), np.ones((6, 3))])
def test_rows_that_say_nothing_give_finite_answers(rows):
    query = torch.tensor(rows[:2], dtype=torch.float32)
    answers = CLASSIFIER.answer(support(rows, [0, 0, 0, 0, 1, 1], 2), query)
    assert_allclose(answers[0], answers[1])
    assert answers.argmax(-1).tolist() == [0, 0]
    assert_allclose(REGRESSOR.answer(support(rows, [1.0, 2, 3, 1, 2, 3]), query), 2, atol=1e-5)


def test_two_rows_that_are_equal_are_no_problem():
    rows = np.repeat(noise(4, 2), 5, 0)
    assert CLASSIFIER.answer(support(rows, np.arange(20) % 2, 2), torch.tensor(rows).float()).isfinite().all()


def test_a_regression_stays_near_the_range_of_its_examples():
    rows = np.linspace(0, 1, 20)[:, None]
    found = REGRESSOR.answer(support(rows, 10 * rows[:, 0]), torch.tensor([[-100.0], [0.5], [100.0]]))
    assert found[0] >= -5
    assert found[2] <= 15
    assert found[1].item() == pytest.approx(5, abs=0.5)


def test_equal_targets_give_that_value():
    assert_allclose(REGRESSOR.answer(support(noise(8, 2), [7.0] * 8), torch.zeros(3, 2)), 7, atol=1e-4)


def test_kernels_are_symmetric_and_positive():
    rows = torch.tensor(noise(20, 7))
    rows[:5, 0] = torch.nan
    mask = torch.ones(20, dtype=torch.bool)
    known = scaling(rows, mask)
    known |= relevance(known, torch.tensor(noise(20, 1, 1)), mask)
    found = kernels(rows, known)
    assert_allclose(found, found.mT, atol=1e-12)
    assert torch.linalg.eigvalsh(found).min() > -1e-9
