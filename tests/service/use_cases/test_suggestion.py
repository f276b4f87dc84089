"""The rule that chooses inputs to label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.use_cases.suggestion import most_worthy, resemblance, uncertainty

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.eye(4, dtype=np.float32) * 9, [20, 10, 6, 3], axis=0)
FEATURES = GROUPS + RNG.normal(size=(39, 4)).astype(np.float32) * 0.3
GROUP = np.repeat(np.arange(4), [20, 10, 6, 3])


def greedy(features, probabilities, count) -> list[int]:
    """The same choice, plainly."""
    weights = np.ones(len(features)) if probabilities is None else uncertainty(probabilities)
    resembles, covered, places = resemblance(features), np.zeros(len(features)), list[int]()
    for _ in range(count):
        gains = np.maximum(resembles - covered, 0) @ weights
        gains[places] = -1
        places.append(int(gains.argmax()))
        covered = np.maximum(covered, resembles[places[-1]])
    return places


def test_without_a_model_each_group_is_asked_once_and_the_largest_first():
    choice = most_worthy(FEATURES, None, 4)
    assert GROUP[choice.places[0]] == 0
    assert sorted(GROUP[choice.places]) == [0, 1, 2, 3]


def test_what_the_model_knows_is_asked_last():
    sure, unsure = [1.0, 0.0], [0.5, 0.5]
    probabilities = np.array([unsure if group == 2 else sure for group in GROUP], np.float32)
    places = most_worthy(FEATURES, probabilities, 3).places
    assert GROUP[places[0]] == 2


def test_scores_are_shares_that_fall():
    scores = most_worthy(FEATURES, None, 39).scores
    assert scores == sorted(scores, reverse=True)
    assert 0.99 < sum(scores) <= 1.01
    assert scores[0] > 0.3


@pytest.mark.parametrize("count", [1, 5, 39, 100])
def test_the_lazy_choice_is_the_plain_one(count):
    probabilities = RNG.dirichlet([1, 1, 1], 39).astype(np.float32)
    choice = most_worthy(FEATURES, probabilities, count)
    assert choice.places == greedy(FEATURES, probabilities, min(count, 39))


@settings(max_examples=50, deadline=None)
@given(
    features=arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(-9, 9, width=32)),
    count=st.integers(1, 14),
)
def test_any_features_give_different_places(features, count):
    choice = most_worthy(features, None, count)
    assert len(choice.places) == len(set(choice.places)) == min(count, len(features))
    assert np.isfinite(choice.scores).all()


def test_missing_numbers_and_equal_inputs_do_no_harm():
    features = np.ones((5, 3), np.float32)
    features[2, 1] = features[:, 2] = np.nan
    assert sorted(most_worthy(features, None, 5).places) == [0, 1, 2, 3, 4]
