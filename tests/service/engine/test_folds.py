"""Folds leave examples of each class in place, and keep identical inputs together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.arrays import text_array
from service.engine.folds import LEAVE_ONE_OUT, NEVER, choices, folds, parts, same_inputs

EXAMPLES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=40)


@given(EXAMPLES, st.integers(2, 12))
def test_each_fold_leaves_examples_of_all_classes_and_no_copies(examples, count):
    inputs, targets = (np.array(each) for each in zip(*examples, strict=True))
    fold = folds(same_inputs(inputs[:, None]), targets, 4, count)
    for part in parts(fold):
        others = np.setdiff1d(np.arange(len(fold)), part)
        assert set(targets[others]) == set(targets)
        movable = others[fold[others] != NEVER]
        assert not set(inputs[part]) & set(inputs[movable])


@given(st.lists(st.integers(2, 9), min_size=1, max_size=5), st.integers(2, 12))
def test_every_example_of_a_class_with_two_is_left_out_once(counts, count):
    targets = np.repeat(np.arange(len(counts)), counts)
    fold = folds(np.arange(len(targets)), targets, len(counts), count)
    assert (fold != NEVER).all()
    assert sum(map(len, parts(fold))) == len(targets)


def test_an_example_that_is_alone_in_its_class_is_never_left_out():
    assert folds(np.arange(3), np.array([0, 0, 1]), 2, 3).tolist()[2] == NEVER
    assert folds(np.arange(1), np.zeros((1, 1)), 0, 1).tolist() == [NEVER]


def test_copies_of_the_only_input_of_a_class_are_never_left_out():
    fold = folds(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1]), 2, 3)
    assert (fold == NEVER).tolist() == [True, True, False, False]


def test_many_examples_are_left_out_in_fewer_folds():
    assert choices(LEAVE_ONE_OUT)[0] == LEAVE_ONE_OUT
    assert choices(LEAVE_ONE_OUT + 1) == [20, 10, 5]
    assert choices(3) == [3]


def test_identical_texts_have_one_number():
    assert same_inputs(text_array(["a", "b", "a"])).tolist() == [0, 1, 0]
