"""Own data that are rows of a table: their columns and cells, and the numbers of a regression."""

import json
from collections import Counter

import pytest

from models.datasets.own.columns import Columns
from models.datasets.own.opening import type_of
from tests.models.own_files import jsonl, own


def test_rows_of_a_table_have_numbers_texts_and_missing_cells_and_columns_of_one_type(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("age,plan,zip,label\n41,pro,10a,a\n,free,20,a\n3.5,,30,b\n4,pro,40,b\n")
    assert [each.input for each in own(path, "table").examples] == [
        {"age": 41.0, "plan": "pro", "zip": "10a"},
        {"age": None, "plan": "free", "zip": "20"},
        {"age": 3.5, "plan": None, "zip": "30"},
        {"age": 4.0, "plan": "pro", "zip": "40"},
    ]


def priced(count: int, **more: object) -> list[dict[str, object]]:
    return [{"size": i, "price": 10.5 * i} | more for i in range(count)]


PRICE = Columns(label="price")


@pytest.mark.parametrize(
    ("made", "given", "expected"),
    [
        (priced(30), PRICE, ("table", True)),
        (priced(30), PRICE._replace(regression=False), ("table", False)),
        (priced(15), PRICE, ("table", False)),
        (priced(15), PRICE._replace(regression=True), ("table", True)),
        ([*priced(30), {"size": 1, "price": "cheap"}], PRICE, ("table", False)),
        ([*priced(30), {"size": 1, "price": None}], PRICE, ("table", True)),
        (priced(30, text="a flat"), PRICE, ("table", True)),
        ([{"text": "a", "price": i} for i in range(30)], PRICE, ("text", False)),
        (priced(30, text="a flat"), Columns(text=("text",), label="price"), ("text", False)),
    ],
)
def test_a_regression_is_told_by_its_labels_or_by_the_user(tmp_path, made, given, expected):
    assert type_of(jsonl(tmp_path, made), given) == expected


NUMBERS = PRICE._replace(regression=True)


def test_the_numbers_of_a_regression_are_read_and_other_labels_reported(tmp_path):
    bad = [{"size": 1, "price": label} for label in ("12 EUR", None, True, "inf", 1e31)]
    read = own(jsonl(tmp_path, [*priced(10), {"size": 1, "price": " 7.5 "}, *bad]), "table", NUMBERS)
    assert [each.value for each in read.examples] == [*(10.5 * i for i in range(10)), 7.5]
    assert read.rejects.lines() == [
        "line 12: '12 EUR' in the column 'price' is no number",
        "line 13: nothing in the column 'price'",
        "line 14: 'True' in the column 'price' is no number",
        "line 15: 'inf' in the column 'price' is no number",
        "line 16: '1e+31' in the column 'price' is no number",
    ]
    assert "  train: 7 rows, price from" in "\n".join(read.summary())


@pytest.mark.parametrize("made", [priced(4), [{"size": i, "price": 3} for i in range(30)]])
def test_a_regression_without_enough_different_numbers_is_refused(tmp_path, made):
    with pytest.raises(ValueError, match="a task needs 5 rows with different numbers in the column 'price'"):
        own(jsonl(tmp_path, made), "table", NUMBERS)


def test_the_tasks_of_a_regression_are_divided(tmp_path):
    made = [row for city in "abcde" for row in priced(6, task=city)]
    read = own(jsonl(tmp_path, made), "table", NUMBERS)
    assert read.divided == "tasks"
    assert Counter(each.split for each in read.examples) == {"train": 18, "val": 6, "test": 6}


def test_fields_of_objects_become_columns_and_lists_are_left_out(tmp_path):
    made = [{"size": i, "meta": {"a": i, "b": {"c": "x"}}, "tags": [i], "label": "ab"[i % 2]} for i in range(8)]
    read = own(jsonl(tmp_path, made), "table")
    assert read.examples[3].input == {"size": 3, "meta.a": 3, "meta.b.c": "x"}
    assert "  columns left out, neither numbers nor texts: tags" in read.summary()


def test_marks_of_missing_numbers_are_missing_and_numbers_among_texts_are_texts(tmp_path):
    made = [{"n": v, "t": w, "label": "a"} for v, w in ((1, "x"), ("NA", 2), ("-", 2.5))] * 2
    read = own(jsonl(tmp_path, made + [each | {"label": "b"} for each in made]), "table")
    assert [each.input for each in read.examples[:3]] == [
        {"n": 1, "t": "x"}, {"n": None, "t": "2"}, {"n": None, "t": "2.5"},
    ]  # fmt: skip


def test_rows_with_numbers_that_are_not_finite_or_too_large_are_reported(tmp_path):
    path = tmp_path / "data.jsonl"
    good = "".join(json.dumps({"size": i, "label": "ab"[i % 2]}) + "\n" for i in range(8))
    path.write_text(good + '{"size": 1e400, "label": "a"}\n{"size": NaN, "label": "a"}\n')
    read = own(path, "table")
    assert read.rejects.lines() == ["line 9: the column 'size' holds inf; the limit is 1e+30"]
    assert read.examples[-1].input == {"size": None}
