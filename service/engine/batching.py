"""Group jobs into one computation, and stack their arrays."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from service.arrays import Array

Item = TypeVar("Item")
Result = TypeVar("Result")


def bucket(count: int) -> int:
    """The size class of `count` examples: 1, 2, 3, 4, 6, 8, 12, 16, 24, ...

    Jobs of one size class are padded to the longest of them. Less than half of a batch is padding.
    """
    power = 1 << max(count - 1, 0).bit_length()
    return power * 3 // 4 if count <= power * 3 // 4 else power


def run_in_groups(
    run: Callable[[Sequence[Item]], Iterable[Result]], items: Sequence[Item], key: Callable[[Item], Hashable]
) -> list[Result]:
    """Run the items of each key together. Returns the results in the order of the items."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        groups[key(item)].append(index)
    results: dict[int, Result] = {}
    for members in groups.values():
        results.update(zip(members, run([items[index] for index in members]), strict=True))
    return [results[index] for index in range(len(items))]


def pad_and_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Stack tensors (n_i, ...) to one (jobs, max n_i, ...). Shorter ones are padded with zeros."""
    if len(tensors) == 1:
        return tensors[0].unsqueeze(0)
    return torch.nn.utils.rnn.pad_sequence(list(tensors), batch_first=True)


def mask(lengths: Sequence[int]) -> Array:
    """(jobs, max length) bool: True for examples, False for padding."""
    return np.arange(max(lengths)) < np.array(lengths)[:, None]
