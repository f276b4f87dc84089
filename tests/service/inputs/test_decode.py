"""Labels become class indices and back, vectors become arrays, and the rest is refused by name."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cards import Card, VectorInput
from service.errors import Unprocessable
from service.inputs.decode import class_indices, decode_inputs, regression_targets
from service.settings import Settings

HUGE = 10**400

labels = st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=2) | st.lists(
    st.text("abäß東 0", min_size=1), min_size=2
)


def card(length: int) -> Card:
    about = {"name": "m", "title": "", "algorithm": "", "paper": "", "kind": "classification", "training": {}}
    return Card(**about, input=VectorInput(length=length))


def vectors(raw: list, length: int) -> np.ndarray:
    return decode_inputs(card(length), raw, [f"inputs[{i}]" for i in range(len(raw))], Settings())


@pytest.mark.parametrize(
    ("sent", "classes", "indices"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([10, 9, 10], [9, 10], [1, 0, 1]),
        ([0, -1], [-1, 0], [1, 0]),
        (["10", "9", "1"], ["1", "10", "9"], [1, 2, 0]),
        ([" ", "  "], [" ", "  "], [0, 1]),
        ([2**53 - 1, -(2**53) + 1], [-(2**53) + 1, 2**53 - 1], [1, 0]),
    ],
)
def test_classes_are_sorted_and_each_label_becomes_its_index(sent, classes, indices):
    known, targets = class_indices(sent)
    assert (known, targets.tolist(), targets.dtype) == (classes, indices, np.int64)


@given(labels.filter(lambda sent: len(set(sent)) > 1), st.randoms(use_true_random=False))
def test_labels_come_back_as_sent_and_their_order_changes_no_class(sent, random):
    classes, targets = class_indices(sent)
    assert [classes[index] for index in targets] == sent
    assert [type(label) for label in classes] == [type(sent[0])] * len(classes)
    assert class_indices(random.sample(sent, len(sent)))[0] == classes


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (["a", "a"], "support"),
        (["a"], "support"),
        (["a", 1], "support[1].label"),
        ([1, 2, "3"], "support[2].label"),
        ([1, True], "support[1].label"),
        ([False, True], "support[0].label"),
        ([0, 1.0], "support[1].label"),
        (["a", None], "support[1].label"),
        (["a", ["b"]], "support[1].label"),
        (["a", {"b": 1}], "support[1].label"),
        ([1, math.nan], "support[1].label"),
        (["a", ""], "support[1].label"),
        (["a", "b" * 257], "support[1].label"),
        ([1, 2**53], "support[1].label"),
        ([1, -(2**53)], "support[1].label"),
        ([1, -(HUGE)], "support[1].label"),
        (["a", "\ud800"], "support[1].label"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(sent, field):
    with pytest.raises(Unprocessable) as refusal:
        class_indices(sent)
    assert refusal.value.field == field


def test_vectors_become_rows_of_float32():
    decoded = vectors([[1, 2.5], [-3, 0]], 2)
    assert (decoded.tolist(), decoded.dtype) == ([[1, 2.5], [-3, 0]], np.float32)


def test_a_number_will_do_for_a_vector_of_one():
    assert vectors([1, [2], -0.5], 1).tolist() == [[1], [2], [-0.5]]


@pytest.mark.parametrize(
    "bad",
    [
        [1],
        [1, 2, 3],
        [],
        1,
        [[1, 2]],
        [1, math.nan],
        [1, math.inf],
        [1, -math.inf],
        [1, 1e30],
        [1, HUGE],
        [1, "2"],
        "12",
        [1, True],
        [1, None],
        None,
        {"x": 1},
    ],
    ids=lambda bad: str(bad)[:20],
)
def test_what_is_no_vector_of_that_length_is_refused_by_name(bad):
    with pytest.raises(Unprocessable) as refusal:
        vectors([[1, 2], bad], 2)
    assert refusal.value.field == "inputs[1]"


def test_targets_of_regression_are_rows_of_float32():
    targets = regression_targets([1, 2.5, [3]], 1)
    assert (targets.tolist(), targets.dtype) == ([[1], [2.5], [3]], np.float32)


@pytest.mark.parametrize("bad", [math.nan, math.inf, HUGE, "1", True, None, [1, 2], []], ids=lambda bad: str(bad)[:20])
def test_targets_that_are_no_numbers_are_refused_by_name(bad):
    with pytest.raises(Unprocessable) as refusal:
        regression_targets([1, bad], 1)
    assert refusal.value.field == "support[1].label"


def field_refused(value: object) -> str | None:
    """The field that a refusal names; None when the value is a vector."""
    try:
        vectors([value], 2)
    except Unprocessable as refusal:
        return refusal.field
    return None


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=10))
def test_any_json_is_a_vector_or_refused_by_name(value):
    assert field_refused(value) in (None, "inputs[0]")
