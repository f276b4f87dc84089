"""The parts of inputs: words, squares, columns and numbers, hidden one at a time."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from models import columns as table_columns
from service.inputs import saliency
from service.inputs.parts import MOST_CHARACTERS, MOST_NUMBERS, MOST_WORDS, of_columns, of_numbers, of_text


def heat_of(parts, weights):
    file = base64.b64decode(parts.show(np.asarray(weights, float)).saliency_png)
    return np.asarray(Image.open(io.BytesIO(file)))


def test_each_word_is_left_out_once():
    parts = of_text("where is it?")
    assert parts.hide().tolist() == [" is it?", "where  it?", "where is "]
    words = parts.show(np.array([1.0, -0.5, 0.0])).words
    assert [(word.text, word.start, word.end, word.weight) for word in words] == [
        ("where", 0, 5, 1.0), ("is", 6, 8, -0.5), ("it?", 9, 12, 0.0)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, MOST_WORDS, MOST_WORDS + 1, 1000])
def test_a_long_text_has_no_more_parts(count):
    text = " ".join(map(str, range(count)))
    parts = of_text(text)
    assert parts.count == len(parts.hide()) <= MOST_WORDS
    words = parts.show(np.zeros(parts.count)).words
    assert " ".join(word.text for word in words) == text


def test_a_long_text_has_fewer_parts_so_that_the_work_is_bounded():
    text = "parcel " * 285
    parts = of_text(text)
    assert parts.count == 8
    assert sum(map(len, parts.hide().tolist())) <= MOST_CHARACTERS


def test_scripts_without_spaces_are_divided_into_characters():
    assert [word.text for word in of_text("包裹 late").show(np.zeros(3)).words] == ["包", "裹", "late"]


def test_a_text_of_no_words_has_no_parts():
    assert of_text(" ").count == 0


def test_only_squares_with_ink_are_hidden_by_paper():
    ink = np.zeros((1, 28, 28), np.uint8)
    ink[0, 2:6, 2:6] = 255
    parts = saliency.of_drawing(ink)
    assert parts.count == 4
    assert not parts.hide()[0].any()
    assert ink.any()


def test_heat_is_near_ink_and_its_colour_says_the_sign():
    ink = np.zeros((1, 28, 28), np.uint8)
    ink[0, 2:6, 2:6] = 255
    parts = saliency.of_drawing(ink)
    heat = heat_of(parts, np.ones(parts.count))
    assert heat[..., 3].max() == saliency.OPAQUE
    assert heat[3, 3, :3].tolist() == list(saliency.FOR)
    assert not heat[12:, :, 3].any()
    assert heat_of(parts, -np.ones(parts.count))[3, 3, :3].tolist() == list(saliency.AGAINST)


def test_a_square_of_a_photo_is_blurred_and_the_rest_stays():
    photo = np.random.default_rng(0).integers(0, 256, (3, 56, 56), dtype=np.uint8)
    parts = saliency.of_photo(photo)
    first = parts.hide()[0]
    assert parts.count == 25
    assert first[:, :24, :24].std() < photo[:, :24, :24].std() / 4
    assert (first[:, 24:] == photo[:, 24:]).all()


def test_even_areas_of_a_photo_have_no_heat():
    photo = np.full((3, 56, 56), 255, np.uint8)
    photo[:, 20:36, 20:36] = np.random.default_rng(0).integers(0, 256, (3, 16, 16))
    parts = saliency.of_photo(photo)
    heat = heat_of(parts, np.ones(parts.count))[..., 3].astype(float)
    assert heat[24:32, 24:32].mean() > 4 * heat[:4].mean()


@pytest.mark.parametrize("size", [1, 3, 28])
def test_heat_maps_have_the_size_of_any_image(size):
    parts = saliency.of_photo(np.random.default_rng(0).integers(0, 256, (3, size, size), dtype=np.uint8))
    assert heat_of(parts, np.ones(parts.count)).shape == (size, size, 4)
    assert len(parts.show(np.ones(parts.count)).saliency_png) <= saliency.png_bytes(size)


def test_a_column_is_hidden_as_if_it_were_missing():
    rows = [{"age": 30.0, "plan": "pro"}, {"age": 40.0, "plan": "free"}]
    columns = table_columns.fit(rows)
    row, missing = table_columns.encode([rows[0], {}], columns)
    parts = of_columns(row, missing, table_columns.places(columns))
    hidden = table_columns.encode([{"plan": "pro"}, {"age": 30.0}], columns)
    np.testing.assert_array_equal(parts.hide(), hidden)
    assert [each.name for each in parts.show(np.zeros(2)).columns] == ["age", "plan"]


def test_a_number_is_replaced_by_its_mean():
    parts = of_numbers(np.array([1.0, 2.0], np.float32), np.array([[3.0, 5.0], [5.0, 7.0]], np.float32))
    assert parts.hide().tolist() == [[4.0, 2.0], [1.0, 6.0]]
    assert of_numbers(np.zeros(MOST_NUMBERS + 1), np.zeros((2, MOST_NUMBERS + 1))) is None
