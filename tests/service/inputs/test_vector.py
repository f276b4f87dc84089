"""Vectors become arrays; what is no vector of that length is refused with its field."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Unprocessable
from service.inputs.limits import Limits
from service.inputs.vector import Vector

HUGE = 10**400


def vectors(raw: list, length: int) -> np.ndarray:
    fields = [f"inputs[{i}]" for i in range(len(raw))]
    return Vector(length=length).decode(raw, fields, Limits(1)).array()


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
def test_an_invalid_vector_is_refused_with_its_field(bad):
    with pytest.raises(Unprocessable) as refusal:
        vectors([[1, 2], bad], 2)
    assert refusal.value.field == "inputs[1]"


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


def test_numbers_outside_of_what_the_model_was_trained_on_are_taken_with_a_warning():
    kind = Vector(length=1, within=(-2, 2))
    decoded = kind.decode([0.5, 3, -2], ["inputs[0]", "inputs[1]", "inputs[2]"], Limits(1))
    assert [(each.field, each.code) for each in decoded.warnings] == [("inputs[1]", "out_of_range")]
    assert decoded.array().tolist() == [[0.5], [3], [-2]]


def test_bounds_of_a_model_do_not_change_what_it_takes():
    assert "within" not in Vector(length=1).model_dump()
    assert Vector(length=1, within=(-2, 2)).takes(Vector(length=1).model_dump())
    assert not Vector(length=1).takes(Vector(length=2).model_dump())
