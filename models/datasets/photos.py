"""Episodes of photos: groceries, hands that sign digits, and fruits.

Klasson, Zhang, Kjellstrom, WACV 2019 (Grocery Store Dataset); Mavi 2020 (Sign Language Digits); Oltean 2017
(Fruits-360). Each file holds JPEGs: `jpeg` are their bytes, `offset` where each begins, `label` their classes, and
`split` is 0 or 1 for those to learn from, 2 for those to test on.
"""

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.datasets.dataset import Dataset
from models.datasets.pool import Indices, Pool
from models.learner import Kind
from models.photo_pixels import rgb, square

GROCERY, DIGITS, FRUITS = "grocery128.npz", "sign_digits128.npz", "fruits3_128.npz"
TEST = 2
PARTS = {"grocery-train": slice(0, 45), "grocery-val": slice(45, 57), "grocery-test": slice(57, 81)}
"""Places of the classes of each split, in an order that is drawn once."""
SEED = 0


class File(Protocol):
    """A file that is read when it is needed."""

    def read(self) -> bytes:
        """Its bytes."""
        ...


class Photos:
    """Image files that are decoded when they are asked for.

    Args:
        files: Encoded photos, or files that are read when they are needed.
        input: The input of a model's card, as `square` takes it: size, crop, resample, shortest, stretch.
    """

    def __init__(self, files: Sequence[bytes | File], input: Mapping[str, Any]) -> None:
        self._files = files
        self._input: dict[str, Any] = {"crop": 1.0} | {name: value for name, value in input.items() if name != "type"}

    def __call__(self, indices: Indices) -> Tensor:
        """Photos (n, 3, size, size), RGB from 0 to 1."""
        pixels = torch.from_numpy(np.stack([self._decode(self._files[each]) for each in indices]))
        return pixels.permute(0, 3, 1, 2).float() / 255

    def _decode(self, file: bytes | File) -> NDArray[np.uint8]:
        encoded = file if isinstance(file, bytes) else file.read()
        return square(rgb(Image.open(io.BytesIO(encoded))), **self._input)


class _File(NamedTuple):
    jpegs: list[bytes]
    labels: NDArray[np.intp]
    split: NDArray[np.uint8]


def _read(path: Path, name: str) -> _File:
    file = path / name if path.is_dir() else path
    with np.load(file, allow_pickle=False) as data:
        jpeg, offset = data["jpeg"], data["offset"]
        jpegs = [jpeg[begin:end].tobytes() for begin, end in pairwise(offset)]
        return _File(jpegs, data["label"].astype(np.intp), data["split"])


def _members(name: str, file: _File) -> NDArray[np.bool_]:
    """Which photos belong to a split."""
    if name == "fruits-test":
        return np.asarray(file.split == TEST)
    if name not in PARTS:
        return np.ones(len(file.labels), dtype=bool)
    classes = np.random.default_rng(SEED).permutation(int(file.labels.max()) + 1)
    return np.isin(file.labels, classes[PARTS[name]])


def _open(path: Path, split: str, input: Mapping[str, Any]) -> Pool:
    file = _read(path, SPLITS[split])
    members = np.flatnonzero(_members(split, file))
    photos = Photos([file.jpegs[i] for i in members], input)
    learn = file.split[members] != TEST
    if split == "fruits-test":  # all of its photos are of classes for testing
        return Pool(photos, file.labels[members], ~learn, ~learn)
    return Pool(photos, file.labels[members], learn, ~learn)


SPLITS = dict.fromkeys(PARTS, GROCERY) | {"sign-digits": DIGITS, "fruits-test": FRUITS}
PHOTOS = Dataset(
    name="photos",
    kind=Kind.CLASSIFICATION,
    input_type="photo",
    splits=SPLITS,
    test_split="grocery-test",
    open=_open,
    source="the split's file (grocery128.npz, sign_digits128.npz, fruits3_128.npz), or the folder of all three",
)
