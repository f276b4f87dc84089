"""What examples count for by their age."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.ages import LEAST, weights_by_age
from service.store.examples import Example

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600


def at(hours: float) -> Example:
    return Example("e", NOW + timedelta(hours=hours), "", b"")


def weights(hours, targets, half_life_s=HOUR, ways=2):
    return weights_by_age([at(each) for each in hours], targets, half_life_s, ways=ways)


def test_an_example_counts_half_as_much_a_half_life_before_the_newest_of_its_class():
    assert weights([0, 1, 2, 0], [0, 0, 0, 1]).tolist() == [0.25, 0.5, 1, 1]


def test_a_class_that_is_not_taught_for_long_does_not_fade():
    assert weights([0, 1000], [0, 1]).tolist() == [1, 1]


def test_the_points_of_a_regression_are_of_one_class():
    assert weights([0, 1], [[0.3], [0.1]], ways=0).tolist() == [0.5, 1]


def test_an_old_example_keeps_a_little_weight():
    assert weights([0, 10000], [0, 0]).tolist() == [pytest.approx(LEAST), 1]


TAUGHT = st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 2)), min_size=1, max_size=20)


@given(TAUGHT, st.floats(1, 1e6), st.floats(-1e4, 1e4))
def test_weights_depend_on_differences_of_times_alone(taught, half_life_s, later):
    hours, targets = map(list, zip(*taught, strict=True))
    found = weights(hours, targets, half_life_s, 3)
    moved = weights([each + later for each in hours], targets, half_life_s, 3)
    np.testing.assert_allclose(found, moved, rtol=1e-3)


@given(TAUGHT, st.floats(1, 1e6))
def test_each_class_has_an_example_of_weight_one_and_newer_ones_count_no_less(taught, half_life_s):
    hours, targets = map(list, zip(*taught, strict=True))
    found = weights(hours, targets, half_life_s, 3)
    for own in set(targets):
        ages, mine = np.array(hours)[np.array(targets) == own], found[np.array(targets) == own]
        assert mine.max() == 1
        assert (np.diff(mine[np.argsort(ages, kind="stable")]) >= 0).all()


def test_no_examples_have_no_weights():
    assert weights([], []).tolist() == []
