"""Rows of a table as numbers, by the columns of the rows that were learned from."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.columns import CATEGORIES, differences, encode, fit, width

ROWS = [
    {"age": 41, "plan": "pro", "active": True},
    {"age": None, "plan": "free", "active": False},
    {"age": 30.5, "plan": None},
]


def ignored(rows):
    return {column["name"]: column["ignored"] for column in fit(rows)}


def test_numbers_booleans_and_categories_become_features():
    columns = fit(ROWS)
    expected = [[1, 41, 0, 1], [0, np.nan, 1, 0], [np.nan, 30.5, 0, 0]]  # active, age, free, pro
    assert_array_equal(encode(ROWS, columns), np.array(expected, np.float32))
    assert width(columns) == 4


def test_texts_of_true_and_false_are_booleans():
    written = [{"active": "True"}, {"active": "false"}, {"active": None}, {"active": True}]
    columns = fit(written)
    assert columns == fit([{"active": True}, {"active": False}, {}])
    assert_array_equal(encode(written, columns), np.array([[1], [0], [np.nan], [1]], np.float32))
    assert differences(written, columns) == []


def test_true_and_false_beside_other_texts_are_categories():
    rows = [{"active": text} for text in ("true", "false", "unknown", "true")]
    assert [column["values"] for column in fit(rows)] == [["false", "true", "unknown"]]


def test_columns_survive_json():
    columns = fit(ROWS)
    assert_array_equal(encode(ROWS, json.loads(json.dumps(columns))), encode(ROWS, columns))


def test_the_order_of_rows_and_columns_does_not_matter():
    assert fit([dict(reversed(row.items())) for row in reversed(ROWS)]) == fit(ROWS)


def test_a_column_of_one_value_is_not_used_unless_it_is_missing_elsewhere():
    rows = [{"a": 1, "b": 1, "c": None, "d": "x"}, {"a": 1, "b": None, "c": None, "d": "x"}]
    assert ignored(rows) == {"a": "constant_column", "b": None, "c": "constant_column", "d": "constant_column"}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f"name {i}" for i in range(6)], "text_column"),
        ([f"name {i}" for i in range(5)], None),
        ([f"name {i % 25}" for i in range(40)], "text_column"),
        ([f"name {i % 25}" for i in range(60)], None),
        (["x" * 101, "y"], "text_column"),
    ],
)
def test_texts_that_hardly_repeat_or_are_long_are_not_used(texts, expected):
    assert ignored([{"a": text} for text in texts]) == {"a": expected}


def test_rows_without_a_usable_column_have_one_feature_that_says_nothing():
    assert encode([{"a": 1}, {"a": 1}], fit([{"a": 1}, {"a": 1}])).tolist() == [[0], [0]]


def test_values_of_two_types_in_a_column_are_refused():
    with pytest.raises(ValueError, match="row 2: the column 'a' has a text, '3'; rows before it have a number"):
        fit([{"a": None}, {"a": 3}, {"a": "3"}])


def test_too_many_categories_are_refused():
    with pytest.raises(ValueError, match="300 different texts; the limit is 256"):
        fit([{"a": str(i)} for i in range(300)])
    fit([{"a": str(i)} for i in range(CATEGORIES)])


def test_differences_are_found_once_for_each_column():
    columns = fit(ROWS)
    found = differences([{"age": 3, "plan": "gold", "shoe": 1}, {"age": 4, "plan": "iron", "shoe": 2}], columns)
    assert {(one.code, one.column, one.row, one.value) for one in found} == {
        ("unknown_column", "shoe", 0, ""),
        ("unseen_category", "plan", 0, "gold"),
        ("missing_column", "active", 0, ""),
    }


@pytest.mark.parametrize("row", [{"shoe": 1}, {"age": "old"}, {"plan": 3}, {"active": 1}])
def test_rows_that_do_not_fit_are_refused(row):
    with pytest.raises(ValueError, match="row 0: "):
        differences([row], fit(ROWS))
