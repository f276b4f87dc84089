"""Sets of labels as they are sent, kept and stored."""

import numpy as np
import pytest

from service.errors import Unprocessable
from service.inputs.label_sets import MOST, LabelSet, checked_sets, class_sets, from_index_lists, index_lists


def test_sets_are_sorted_without_repeats_in_one_normal_form():
    composed, apart = "\u00e9", "e\u0301"
    assert checked_sets([LabelSet(["b", "a", "b"]), LabelSet([composed, apart]), LabelSet([]), "c"]) == [
        ["a", "b"],
        [composed],
        [],
        ["c"],
    ]


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ([LabelSet(["a"]), LabelSet(["b", 1])], "support[1].labels[1]"),
        ([LabelSet([]), LabelSet([" a"])], "support[1].labels[0]"),
        ([LabelSet(["a"]), ""], "support[1].label"),
        ([LabelSet([["a"]])], "support[0].labels[0]"),
        ([LabelSet(map(str, range(MOST + 1)))], "support[0].labels"),
    ],
)
def test_a_wrong_label_is_named_by_its_place(labels, field):
    with pytest.raises(Unprocessable) as refusal:
        checked_sets(labels)
    assert refusal.value.field == field
    assert refusal.value.detail.startswith(field)


def test_sets_become_rows_of_classes_and_back():
    classes, targets = class_sets([[3, 10], [], [10]])
    assert classes == [3, 10]
    assert targets.tolist() == [[True, True], [False, False], [False, True]]
    assert index_lists(targets) == [[0, 1], [], [1]]
    np.testing.assert_array_equal(from_index_lists([[0, 1], [], [1]], 2), targets)


@pytest.mark.parametrize("stored", [[[2]], [0], [None]])
def test_stored_sets_that_do_not_fit_are_errors(stored):
    with pytest.raises((IndexError, TypeError)):
        from_index_lists(stored, 2)
