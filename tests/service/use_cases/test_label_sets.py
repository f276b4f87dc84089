"""Figures and thresholds of several labels."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from service.use_cases.label_sets import (
    DEFAULT_THRESHOLD,
    independent,
    independent_calibration_error,
    macro_f1,
    micro_f1,
    per_label,
    thresholds_of,
)

RNG = np.random.default_rng(0)
ANSWERS, TRUTH = RNG.random((50, 4)) < 0.4, RNG.random((50, 4)) < 0.3


def test_f1_is_that_of_scikit_learn():
    assert micro_f1(ANSWERS, TRUTH) == pytest.approx(f1_score(TRUTH, ANSWERS, average="micro"))
    assert macro_f1(ANSWERS, TRUTH) == pytest.approx(f1_score(TRUTH, ANSWERS, average="macro"))
    assert [each.f1 for each in per_label(ANSWERS, TRUTH)] == pytest.approx(f1_score(TRUTH, ANSWERS, average=None))


def test_no_label_anywhere_is_all_right():
    nothing = np.zeros((3, 2), bool)
    assert micro_f1(nothing, nothing) == macro_f1(nothing, nothing) == 1.0


def test_probabilities_are_independent_and_stay_finite():
    found = independent(np.array([[0.0, 1000.0, -1000.0]], np.float32))
    assert found[0].tolist() == pytest.approx([0.5, 1.0, 0.0])


def test_honest_probabilities_have_no_calibration_error():
    probabilities = RNG.random((20_000, 2))
    assert independent_calibration_error(probabilities, RNG.random((20_000, 2)) < probabilities) < 0.02
    assert independent_calibration_error(probabilities, np.ones((20_000, 2), bool)) > 0.4


def test_a_label_with_enough_examples_has_a_threshold_that_keeps_the_share():
    probabilities = np.stack([np.linspace(0.01, 0.99, 99), np.full(99, 0.5)], 1)
    truth = np.zeros((99, 2), bool)
    truth[:, 0], truth[:3, 1] = True, True
    first, second = thresholds_of(["often", "seldom"], 0.9, None, probabilities, truth)
    assert (first.source, second.source) == ("client", "default")
    assert first.at_least == pytest.approx(0.1)
    assert second.at_least == DEFAULT_THRESHOLD


def test_a_threshold_of_the_request_counts_for_all_labels():
    found = thresholds_of(["a", "b"], 0.9, 0.7, np.zeros((0, 0)), np.zeros((0, 0)))
    assert {(each.at_least, each.source) for each in found} == {(0.7, "request")}
