"""Texts: what is accepted, cut and refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arrays import TEXT, pack_texts, text_array, unpack_texts
from service.errors import Unprocessable
from service.inputs.limits import Limits
from service.inputs.text import LONGEST, Text

LIMITS = Limits(1)


def decoded(*raw: object) -> list[str]:
    fields = [f"inputs[{i}]" for i in range(len(raw))]
    return Text().decode(raw, fields, LIMITS).array().tolist()


def test_texts_in_any_script_are_kept():
    texts = ["where is my parcel?", "où est mon colis ?", "שלום", "👩‍🚀 reporting", "包裹在哪里"]
    assert decoded(*texts) == texts


def test_the_texts_of_an_object_are_joined_in_its_order():
    assert decoded({"title": "Late", "body": "Still no parcel."}) == ["Late\nStill no parcel."]


def test_control_characters_become_spaces_and_the_ends_are_trimmed():
    assert decoded(" \x00late\x07 parcel\n") == ["late  parcel"]


def test_two_unicode_forms_of_a_text_are_one_text():
    assert len(set(decoded("caf\u00e9", "cafe\u0301"))) == 1


def test_a_long_text_is_cut_with_a_warning():
    answer = Text(max_characters=10).decode(["short", "x" * 11], ["inputs[0]", "inputs[1]"], LIMITS)
    assert answer.array().tolist() == ["short", "x" * 10]
    assert [(warning.field, warning.code) for warning in answer.warnings] == [("inputs[1]", "truncated")]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "empty"),
        (" \n\x00", "empty"),
        ({}, "empty"),
        (7, "here is a number"),
        (None, "here is null"),
        (["a"], "here is an array"),
        ({"title": "late", "body": None}, "'body' is null"),
        ("x" * (LONGEST + 1), f"the limit is {LONGEST}"),
        ("iVBORw0KGgoAAAANSUhEUg", "image file"),
        ("data:image/png;base64,AAAA", "image file"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(raw, reason):
    with pytest.raises(Unprocessable, match=reason) as refused:
        decoded("fine", raw)
    assert refused.value.field == "inputs[1]"


@given(st.text(min_size=1).filter(lambda text: any(each.isalnum() for each in text)))
def test_every_text_with_a_letter_is_accepted_and_trimmed(text):
    (result,) = decoded(text)
    assert result
    assert result.strip() == result


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_are_packed_and_unpacked(texts):
    assert unpack_texts(*pack_texts(text_array(texts))).tolist() == texts


@pytest.mark.parametrize("lengths", [[3], [-1, 3], [1, 2]])
def test_lengths_that_do_not_fit_the_bytes_are_refused(lengths):
    with pytest.raises(ValueError, match="bytes of texts"):
        unpack_texts(np.zeros(2, np.uint8), np.array(lengths, np.int64))


def test_examples_for_warming_up_are_texts():
    made_up = Text().examples(3, np.random.default_rng(0))
    assert (made_up.dtype, made_up.shape) == (TEXT, (3,))
