"""How jobs become one batch, and a batch its jobs again."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from service.engine.batching import bucket, mask, pad_and_stack, run_in_groups

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def tensors_of(lengths: list[int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Tensors (n, 2) of different numbers, none zero."""
    ends = np.cumsum(lengths) * 2
    return [
        torch.arange(end - 2 * n + 1, end + 1, dtype=dtype).view(n, 2) for n, end in zip(lengths, ends, strict=True)
    ]


def test_the_size_classes_are_powers_of_two_and_three_quarters_of_them():
    assert sorted({bucket(count) for count in range(1, 100)}) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]


@given(st.integers(1, 10**6))
def test_a_size_class_holds_its_counts_with_less_than_half_of_padding(count):
    assert count <= bucket(count) < 2 * count
    assert bucket(bucket(count)) == bucket(count)
    assert bucket(count) <= bucket(count + 1)


@given(lengths)
def test_zeros_pad_stacked_tensors(lengths):
    tensors = tensors_of(lengths)
    stacked = pad_and_stack(tensors)
    assert stacked.shape == (len(lengths), max(lengths), 2)
    for row, tensor in zip(stacked, tensors, strict=True):
        assert torch.equal(row[: len(tensor)], tensor)
        assert not row[len(tensor) :].any()


def test_stacking_keeps_the_type():
    assert [pad_and_stack(tensors_of([1, 2], kind)).dtype for kind in (torch.uint8, torch.int64)] == [
        torch.uint8,
        torch.int64,
    ]


@given(lengths)
def test_the_mask_is_true_for_examples_and_false_for_padding(lengths):
    assert (torch.from_numpy(mask(lengths)) == pad_and_stack(tensors_of(lengths)).any(-1)).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_items_of_one_key_run_together_and_results_keep_the_order(keys):
    groups: list[list[tuple[int, int]]] = []

    def run(group):
        groups.append(list(group))
        return [index for index, _ in group]

    items = list(enumerate(keys))
    assert run_in_groups(run, items, lambda item: item[1]) == list(range(len(items)))
    assert [{key for _, key in group} for group in groups] == [{key} for key in dict.fromkeys(keys)]
