"""Figures of answers: agreed with scikit-learn where it has them."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from service.use_cases.judgement import (
    calibration_error,
    confusion,
    lowest_kept,
    macro_f1,
    most_confused,
    suspects,
    threshold_curve,
    wilson,
)

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(0, 4, 200)
ANSWERS = np.where(RNG.random(200) < 0.7, TARGETS, RNG.integers(0, 4, 200))


def test_confusions_and_f1_agree_with_scikit_learn():
    counts = confusion(ANSWERS, TARGETS, 4)
    np.testing.assert_array_equal(counts, confusion_matrix(TARGETS, ANSWERS))
    assert macro_f1(counts) == pytest.approx(f1_score(TARGETS, ANSWERS, average="macro"))


def test_the_interval_of_a_share_is_known():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10)[0] == 0
    assert all(wilson(count, count)[1] == 1 for count in range(1, 100))


def test_pairs_are_confused_in_both_directions():
    counts = np.array([[5, 2, 0], [3, 5, 1], [0, 0, 5]])
    assert most_confused(counts, 9) == [(0, 1, 5), (1, 2, 1)]


def test_a_confident_answer_with_another_label_is_suspected():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05], [0.45, 0.55]])
    targets = np.array([0, 0, 1, 1, 1, 0])
    assert suspects(probabilities, targets, 9) == [(4, 0, 0.95)]


def test_calibrated_probabilities_have_no_error():
    top = RNG.uniform(0.5, 1, 20000)
    right = RNG.random(20000) < top
    probabilities = np.stack([top, 1 - top], 1)
    assert calibration_error(probabilities, np.where(right, 0, 1)) < 0.02
    assert calibration_error(probabilities, np.ones(20000, int)) > 0.4


@pytest.mark.parametrize("count", [19, 40, 100])
def test_the_threshold_keeps_the_share_of_new_scores(count):
    kept = [(RNG.random(500) >= lowest_kept(RNG.random(count), 0.95)).mean() for _ in range(300)]
    assert 0.945 < np.mean(kept) < 0.98


def test_too_few_scores_give_no_threshold():
    assert lowest_kept(np.ones(18), 0.95) is None


def test_a_higher_threshold_keeps_less():
    scores, unknown = RNG.random(100), RNG.random(50) / 2
    curve = threshold_curve(scores, scores > 0.3, unknown)
    assert curve[0].kept == 1
    assert [point.kept for point in curve] == sorted((point.kept for point in curve), reverse=True)
    assert curve[-1].unknown_kept == 0
    assert curve[-1].accuracy == 1
