"""Examples as bytes: what is written is read."""

import numpy as np
import pytest

from service.arrays import text_array
from service.store.examples import content_id, form_of, free_id, from_raw, ranges, to_raw


def test_rows_are_written_as_ranges():
    assert ranges([0, 1, 2, 5, 3, 4, 9]) == [(0, 2), (5, 5), (3, 4), (9, 9)]
    assert ranges([]) == []


@pytest.mark.parametrize(
    "inputs",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4),
        np.arange(24, dtype=np.float32).reshape(4, 3, 2)[:, ::2],
        np.zeros((0, 3), np.float32),
        text_array(["", "東京", "two\nlines"]),
    ],
)
def test_inputs_come_back_from_their_bytes(inputs):
    form = form_of(inputs)
    back = from_raw(to_raw(inputs), type(form).model_validate_json(form.model_dump_json()))
    assert (back.dtype, back.shape, back.tolist()) == (inputs.dtype, inputs.shape, inputs.tolist())


def test_an_id_depends_on_the_input_and_on_the_label():
    assert len({content_id("a", "x"), content_id("b", "x"), content_id("a", "y"), content_id("a", 1)}) == 4
    assert content_id("a", "1") != content_id("a", 1)
    assert free_id("a", {"a", "a-2"}) == "a-3"
