"""Which jobs run as one, and how their arrays become one. Pure functions of numpy arrays."""

from collections.abc import Sequence

import numpy as np

from service.arrays import Array, Arrays


def bucket(count: int) -> int:
    """The size class of `count` examples: 1, 2, 3, 4, 6, 8, 12, 16, 24, ... Jobs of one class are padded to the largest
    among them, so less than half of a batch is padding, and nothing of it when all are alike."""
    power = 1 << max(count - 1, 0).bit_length()
    return power * 3 // 4 if count <= power * 3 // 4 else power


def pad_and_stack(arrays: Sequence[Array]) -> Array:
    """Arrays (n_i, ...) as one (jobs, max n_i, ...), with zeros behind the shorter ones."""
    longest = max(len(array) for array in arrays)
    stacked = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[: len(array)] = array
    return stacked


def mask(lengths: Sequence[int]) -> Array:
    """(jobs, max length) bool: True for what is real, False for padding."""
    return np.arange(max(lengths)) < np.array(lengths)[:, None]


def split(stacked: Arrays, index: int) -> Arrays:
    """One job's part of stacked arrays, in memory of its own."""
    return {name: np.array(array[index]) for name, array in stacked.items()}
