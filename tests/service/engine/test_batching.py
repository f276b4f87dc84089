"""How jobs become one batch, and a batch its jobs again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.engine.batching import bucket, mask, pad_and_stack, split

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def arrays_of(lengths: list[int], dtype: type = np.float32) -> list[np.ndarray]:
    """Arrays (n, 2) whose numbers are all different, and none zero."""
    ends = np.cumsum(lengths) * 2
    return [
        np.arange(end - 2 * n + 1, end + 1, dtype=dtype).reshape(n, 2) for n, end in zip(lengths, ends, strict=True)
    ]


def test_the_size_classes_are_powers_of_two_and_three_quarters_of_them():
    assert sorted({bucket(count) for count in range(1, 100)}) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]


@given(st.integers(1, 10**6))
def test_a_size_class_holds_its_counts_with_less_than_half_of_padding(count):
    assert count <= bucket(count) < 2 * count
    assert bucket(bucket(count)) == bucket(count)
    assert bucket(count) <= bucket(count + 1)


@given(lengths)
def test_stacked_arrays_stand_before_zeros(lengths):
    arrays = arrays_of(lengths)
    stacked = pad_and_stack(arrays)
    assert stacked.shape == (len(lengths), max(lengths), 2)
    for row, array in zip(stacked, arrays, strict=True):
        assert (row[: len(array)] == array).all()
        assert not row[len(array) :].any()


def test_stacking_keeps_the_type():
    assert [pad_and_stack(arrays_of([1, 2], kind)).dtype for kind in (np.uint8, np.int64)] == [np.uint8, np.int64]


@given(lengths)
def test_the_mask_is_true_exactly_where_something_real_stands(lengths):
    assert (mask(lengths) == pad_and_stack(arrays_of(lengths)).any(-1)).all()


@given(lengths)
def test_a_job_gets_its_own_part_in_its_own_memory(lengths):
    stacked = {"a": pad_and_stack(arrays_of(lengths)), "b": np.array(lengths)}
    for index, length in enumerate(lengths):
        part = split(stacked, index)
        assert (part["a"] == stacked["a"][index]).all()
        assert part["b"] == length
        assert not any(np.shares_memory(part[name], stacked[name]) for name in stacked)
