"""Episodes of Omniglot's characters."""

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets import lake_runs, splits
from models.datasets.augment import AUGMENTATIONS
from models.datasets.characters import DRAWINGS, Characters, load
from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.pool import EncodableSampler, Encoded, Examples, Indices, in_chunks
from models.learner import Episode, Kind, Support


class CharacterSampler(EpisodeSampler):
    """Episodes over a set of characters.

    Args:
        data: All drawings.
        members: The characters, as row numbers of `data`.
        forms: How many classes each character makes: 1 upright only, 4 also rotated by 90, 180 and 270 degrees, 8 also
            mirrored.
        within: The classes of an episode come from one alphabet, in one form.
        augment: How each drawing is distorted on its own: a name in `AUGMENTATIONS`.
        unlabelled: The classes are unknown. Each class of an episode is one drawing, and its examples are distorted
            copies of that drawing (Khodadadeh et al. 2019, arXiv:1811.11819).
    """

    def __init__(
        self,
        data: Characters,
        members: NDArray[np.intp],
        *,
        forms: int,
        within: bool = False,
        augment: str | None = None,
        unlabelled: bool = False,
    ) -> None:
        self.images, self.within, self.augment, self.unlabelled = data.images, within, augment, unlabelled
        self.examples: Examples = self._read
        self.classes = np.array([(member, form) for member in members for form in range(forms)])
        group_of = [(data.names[member].split("/")[0], form) for member, form in self.classes]
        self.groups = [np.array([i for i, one in enumerate(group_of) if one == each]) for each in sorted(set(group_of))]

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw classes in random order, and drawings of each class."""
        drawn = np.stack(
            [self._draw(rng, each, shape.shots + shape.queries) for each in self._draw_classes(rng, shape)]
        )
        inputs = self._distorted(rng, self.examples(drawn[:, : shape.shots].ravel()))
        queries = self._distorted(rng, self.examples(drawn[:, shape.shots :].ravel()))
        labels = torch.arange(shape.ways)
        mask = torch.ones(len(inputs), dtype=torch.bool)
        support = Support(inputs, labels.repeat_interleave(shape.shots), mask, shape.ways)
        return Episode(support, queries, labels.repeat_interleave(shape.queries))

    def _draw_classes(self, rng: np.random.Generator, shape: Shape) -> NDArray[np.intp]:
        if self.within:
            return rng.choice(self._group(rng, shape.ways), shape.ways, replace=False)
        if len(self.classes) < shape.ways:
            raise ValueError(f"{shape.ways} ways are too many: there are {len(self.classes)} classes")
        if shape.similar and rng.random() < shape.similar:
            return self._draw_similar(rng, shape.ways)
        return rng.choice(len(self.classes), shape.ways, replace=False)

    def _group(self, rng: np.random.Generator, ways: int) -> NDArray[np.intp]:
        large_enough = [group for group in self.groups if len(group) >= ways]
        if not large_enough:
            largest = max(len(group) for group in self.groups)
            raise ValueError(f"{ways} ways are too many: the largest alphabet has {largest} classes")
        return large_enough[rng.integers(len(large_enough))]

    def _draw_similar(self, rng: np.random.Generator, ways: int) -> NDArray[np.intp]:
        """Classes of as few alphabets as possible, in random order."""
        shuffled = [rng.permutation(self.groups[i]) for i in rng.permutation(len(self.groups))]
        return rng.permutation(np.concatenate(shuffled)[:ways])

    def _draw(self, rng: np.random.Generator, index: int, count: int) -> Indices:
        """Drawings of a class, as numbers over all classes and their drawings."""
        if count > DRAWINGS:
            raise ValueError(f"shots + queries is {count}: a character has {DRAWINGS} drawings")
        different = rng.choice(DRAWINGS, count, replace=False)
        return index * DRAWINGS + (different[:1].repeat(count) if self.unlabelled else different)

    def _read(self, indices: Indices) -> torch.Tensor:
        """Drawings (n, 1, size, size)."""
        of, drawings = self.classes[indices // DRAWINGS], indices % DRAWINGS
        turned = [_turned(self.images[member, i], form) for (member, form), i in zip(of, drawings, strict=True)]
        return torch.from_numpy(np.stack(turned)[:, None])

    def _distorted(self, rng: np.random.Generator, images: torch.Tensor) -> torch.Tensor:
        return AUGMENTATIONS[self.augment](images, rng) if self.augment else images


class UndistortedSampler(CharacterSampler, EncodableSampler):
    """The same without distortions, so that each drawing can be encoded once."""

    def encoded(self, encode: Callable[[Any], torch.Tensor]) -> "UndistortedSampler":
        """The same episodes, with features in place of drawings. Each drawing is encoded when it is first drawn."""
        other = copy(self)
        other.examples = Encoded(self.examples, encode)
        return other

    def labelled(self) -> tuple[torch.Tensor, Indices]:
        """All drawings (n, 1, size, size), or their features, and the class of each (n,)."""
        indices = np.arange(len(self.classes) * DRAWINGS)
        return in_chunks(self.examples, indices), indices // DRAWINGS


def _turned(drawing: NDArray[np.float32], form: int) -> NDArray[np.float32]:
    mirrored = drawing[:, ::-1] if form >= 4 else drawing
    return np.rot90(mirrored, form % 4)


def _open(
    path: Path,
    split: str,
    input: Mapping[str, Any],
    *,
    within: bool = False,
    augment: str | None = None,
    unlabelled: bool = False,
    forms: int | None = None,
) -> EpisodeSampler:
    """Open a split. `splits.rotated` decides the default of `forms`."""
    if split == LAKE:
        return lake_runs.load_runs(path, input["size"])
    data = load(path, input["size"])
    forms = forms or (4 if splits.rotated(split) else 1)
    members = splits.members(data, path, split)
    if augment is None and not unlabelled:
        return UndistortedSampler(data, members, forms=forms, within=within)
    return CharacterSampler(data, members, forms=forms, within=within, augment=augment, unlabelled=unlabelled)


LAKE = "lake-one-shot"
OMNIGLOT = Dataset(
    name="omniglot",
    kind=Kind.CLASSIFICATION,
    input_type="drawing",
    splits=dict.fromkeys(splits.SPLITS, "omniglot.npz") | {LAKE: "all_runs.zip"},
    fixed={LAKE: (lake_runs.SHAPE, lake_runs.RUNS)},
    test_split="vinyals-test",
    open=_open,
    source="omniglot.npz, or the folder of the official files; for lake-one-shot all_runs.zip, or its folder",
    group="alphabet",
)
