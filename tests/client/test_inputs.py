"""Inputs of other libraries become JSON."""

import base64
import datetime
import io
import json
from decimal import Decimal

import numpy as np
import pytest
import torch
from PIL import Image

from handful.inputs import examples, listed, plain, size_of


class Frame:
    """As a data frame of pandas: rows by `to_dict`."""

    columns = ("age", "plan")

    def __init__(self, rows: list[dict]) -> None:
        self._rows = rows

    def to_dict(self, form: str) -> list[dict]:
        assert form == "records"
        return self._rows


class Row:
    """As a row of pandas."""

    def __init__(self, row: dict) -> None:
        self._row = row

    def to_dict(self) -> dict:
        return self._row


class Column(list):
    """As a column of pandas."""

    def to_dict(self) -> dict:
        return dict(enumerate(self))

    def tolist(self) -> list:
        return list(self)


class NAType:
    """As the missing value of pandas."""


def test_the_rows_of_a_data_frame_are_objects():
    rows = [{"age": np.int64(41), "plan": "pro"}, {"age": float("nan"), "plan": NAType()}]
    assert [plain(row) for row in listed(Frame(rows))] == [{"age": 41, "plan": "pro"}, {"age": None, "plan": None}]
    assert plain(Row(rows[0])) == {"age": 41, "plan": "pro"}


def test_a_column_is_a_list_of_inputs():
    assert list(listed(Column(["late", "refund"]))) == ["late", "refund"]


def test_dates_and_decimals_of_a_row_are_json():
    row = {"day": datetime.date(2026, 11, 26), "price": Decimal("1.5"), 3: np.float32(0.5)}
    assert json.loads(json.dumps(plain(row))) == {"day": "2026-11-26", "price": 1.5, "3": 0.5}


@pytest.mark.parametrize("make", [np.asarray, lambda rows: torch.tensor(rows, requires_grad=True)])
def test_a_vector_of_a_library_is_a_list(make):
    assert plain(make([1.5, 2.5])) == [1.5, 2.5]
    assert [plain(row) for row in listed(make([[1.0, 2.0], [3.0, 4.0]]))] == [[1, 2], [3, 4]]


def test_a_tensor_of_channels_first_becomes_rows_of_pixels():
    photo = torch.rand(3, 4, 5)
    assert plain(photo) == photo.permute(1, 2, 0).tolist()
    assert plain(photo.numpy()) == photo.permute(1, 2, 0).tolist()


def test_colours_of_8_bits_become_an_image_file_of_the_same_pixels():
    photo = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    sent = io.BytesIO(base64.b64decode(plain(photo)))
    assert np.array_equal(np.asarray(Image.open(sent)), photo)


@pytest.mark.parametrize("one", ["a text", b"bytes", {"age": 41}])
def test_a_single_input_in_place_of_a_list_is_refused(one):
    with pytest.raises(TypeError, match="brackets"):
        listed(one)


def test_examples_come_as_pairs_by_label_or_with_labels():
    expected = [{"input": "late", "label": "delivery"}, {"input": "money", "label": "refund"}]
    assert list(examples([("late", "delivery"), ("money", "refund")])) == expected
    assert list(examples({"delivery": ["late"], "refund": ["money"]})) == expected
    assert list(examples(["late", "money"], np.array(["delivery", "refund"]))) == expected
    assert [each["id"] for each in examples([("late", "delivery", "t1")])] == ["t1"]


def test_labels_of_another_number_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        list(examples(["late", "money"], ["delivery"]))
    with pytest.raises(TypeError, match="labels"):
        examples(Frame([]))


def test_the_size_of_a_value_is_about_that_of_its_json():
    value = {"text": "late", "numbers": [1.25, 2, None, True], "rows": [[1, 2], [3, 4]]}
    assert len(json.dumps(value)) * 0.7 <= size_of(value) <= len(json.dumps(value)) * 1.3
