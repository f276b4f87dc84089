"""The half widths of intervals: the client's own errors where they are enough, else those of the card."""

import numpy as np
import pytest

from service.cards import Card, ErrorScale
from service.errors import TooFewExamples
from service.use_cases.intervals import half_widths
from service.use_cases.quality import Judged, Quality

CARD = Card(
    name="waves", title="", algorithm="", paper="", kind="regression", input={"type": "vector", "length": 1},
    outputs=1, training={},
)  # fmt: skip
SCALE = ErrorScale(unit="value", levels=(0.5, 0.9), examples=[2, 5], quantiles=[[4.0, 8.0], [1.0, 2.0]])


def judged(errors, examples=None, spread=(1.0,)) -> Judged:
    count = len(errors) if examples is None else examples
    quality = Quality(client_id="a", model="waves", version=1, examples=count)
    return Judged(
        quality, errors=np.array([*errors], float).reshape(len(errors), -1 if errors else 1), spread=np.array(spread)
    )


def measured(unit="value"):
    return CARD.model_copy(update={"errors": SCALE.model_copy(update={"unit": unit})})


def test_nine_examples_are_enough_for_nine_tenths():
    source, half = half_widths(judged(range(1, 10)), CARD, 0.9)
    assert (source, half.tolist()) == ("client", [9])


def test_many_errors_give_the_next_higher_quantile():
    """Of n errors, the one of rank (n + 1) x level covers a new value with at least that probability."""
    source, half = half_widths(judged(range(1, 100)), CARD, 0.9)
    assert (source, half.tolist()) == ("client", [90])


def test_each_number_of_an_answer_has_a_width_of_its_own():
    _, half = half_widths(judged([[1, 10], [2, 20], [3, 30], [4, 40]]), CARD, 0.8)
    assert half.tolist() == [4, 40]


def test_few_examples_take_the_errors_of_the_card():
    assert half_widths(judged([1.0] * 5), measured(), 0.9) == ("model", 2.0)


def test_between_two_sizes_the_errors_of_the_smaller_count():
    assert half_widths(judged([1.0] * 4), measured(), 0.9) == ("model", 8.0)


def test_between_two_levels_the_line_counts():
    source, half = half_widths(judged([1.0] * 2), measured(), 0.7)
    assert (source, half.tolist()) == ("model", [6.0])


def test_errors_in_ranges_are_scaled_by_the_labels_of_the_client():
    assert half_widths(judged([1.0] * 5, spread=(100.0,)), measured("range"), 0.9) == ("model", 200.0)


def test_errors_in_deviations_are_left_in_them():
    assert half_widths(judged([1.0] * 5, spread=(100.0,)), measured("deviation"), 0.9) == ("model", 2.0)


def test_a_client_that_cannot_be_judged_takes_the_errors_of_the_card():
    assert half_widths(judged([], examples=300), measured(), 0.9) == ("model", 2.0)


@pytest.mark.parametrize(("card", "least"), [(CARD, 19), (measured(), 2)])
def test_too_few_examples_are_refused_with_the_number_that_is_needed(card, least):
    with pytest.raises(TooFewExamples, match=f"needs {least} examples, and the client has 1"):
        half_widths(judged([], examples=1), card, 0.95)
