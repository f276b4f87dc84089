"""Labels become class indices and back, and targets become arrays; the rest is refused with its field."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Unprocessable
from service.inputs.labels import class_indices, regression_targets
from service.inputs.vector import to_vector

HUGE = 10**400

labels = st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=2) | st.lists(
    st.text("abäß東0", min_size=1), min_size=2
)


@pytest.mark.parametrize(
    ("sent", "classes", "indices"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([10, 9, 10], [9, 10], [1, 0, 1]),
        ([0, -1], [-1, 0], [1, 0]),
        (["10", "9", "1"], ["1", "10", "9"], [1, 2, 0]),
        (["a b", "a  b"], ["a  b", "a b"], [1, 0]),
        (["caf\u00e9", "cafe\u0301", "cafe"], ["cafe", "caf\u00e9"], [1, 1, 0]),
        (
            ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "a"],
            ["a", "\U0001f468\u200d\U0001f469\u200d\U0001f467"],
            [1, 0],
        ),
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
        (["a", "cat\n"], "support[1].label"),
        (["a", "cat "], "support[1].label"),
        (["a", "\u00a0cat"], "support[1].label"),
        (["a", " "], "support[1].label"),
        (["a", "c\tat"], "support[1].label"),
        (["a", "c\x00at"], "support[1].label"),
        (["a", "c\x7fat"], "support[1].label"),
        (["a", "c\u2028at"], "support[1].label"),
        (["a", "\ufeffcat"], "support[1].label"),
        (["a", "cat\u200b"], "support[1].label"),
        (["a", "\ufb2c" * 256], "support[1].label"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(sent, field):
    with pytest.raises(Unprocessable) as refusal:
        class_indices(sent)
    assert refusal.value.field == field


def test_targets_of_regression_are_rows_of_float32():
    targets = regression_targets([1, 2.5, [3]], 1)
    assert (targets.tolist(), targets.dtype) == ([[1], [2.5], [3]], np.float32)


@pytest.mark.parametrize("bad", [math.nan, math.inf, HUGE, "1", True, None, [1, 2], []], ids=lambda bad: str(bad)[:20])
def test_targets_that_are_no_numbers_are_refused_by_name(bad):
    with pytest.raises(Unprocessable) as refusal:
        regression_targets([1, bad], 1)
    assert refusal.value.field == "support[1].label"


def test_the_refusal_of_white_space_around_a_label_says_so():
    with pytest.raises(Unprocessable, match="white space"):
        class_indices(["a", "cat "])


def test_the_longest_label_in_nfc_can_be_classified_again():
    classes, _ = class_indices(["a", "e\u0301" * 128])
    assert class_indices(classes)[0] == classes
    with pytest.raises(Unprocessable, match="has 512 in Unicode's normal form NFC"):
        class_indices(["a", "\u0958" * 256])


@given(
    st.integers(1, 3).flatmap(
        lambda outputs: st.tuples(
            st.just(outputs),
            st.lists(
                st.one_of(
                    st.floats(width=32), st.integers(), st.booleans(), st.none(), st.text(max_size=2),
                    st.lists(st.one_of(st.floats(), st.integers(-9, 9), st.booleans()), max_size=outputs + 1),
                    st.lists(st.floats(-9, 9), min_size=outputs, max_size=outputs),
                ),
                max_size=5,
            ),
        )
    )
)  # fmt: skip
def test_targets_are_the_same_together_as_one_by_one(given_labels: tuple[int, list[Any]]):
    outputs, labels = given_labels

    def outcome(work: Callable[[], Any]) -> Any:
        try:
            return np.asarray(work()).tolist()
        except Unprocessable as error:
            return error.detail

    alone = outcome(lambda: [to_vector(label, outputs, f"support[{i}].label") for i, label in enumerate(labels)])
    assert outcome(lambda: regression_targets(labels, outputs)) == alone
