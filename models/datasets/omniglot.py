"""Episodes of Omniglot's characters."""

from collections.abc import Mapping
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
        self.classes = np.array([(member, form) for member in members for form in range(forms)])
        group_of = [(data.names[member].split("/")[0], form) for member, form in self.classes]
        self.groups = [np.array([i for i, one in enumerate(group_of) if one == each]) for each in sorted(set(group_of))]

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw classes in random order, and drawings of each class."""
        chosen = self._draw_classes(rng, shape)
        drawings = np.stack([self._draw(rng, c, shape.shots + shape.queries) for c in chosen])
        inputs = self._tensor(rng, drawings[:, : shape.shots])
        queries = self._tensor(rng, drawings[:, shape.shots :])
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

    def _draw(self, rng: np.random.Generator, index: int, count: int) -> NDArray[np.float32]:
        if count > DRAWINGS:
            raise ValueError(f"shots + queries is {count}: a character has {DRAWINGS} drawings")
        member, form = self.classes[index]
        different = rng.choice(DRAWINGS, count, replace=False)
        drawings = self.images[member, different[:1].repeat(count) if self.unlabelled else different]
        mirrored = drawings[..., ::-1] if form >= 4 else drawings
        rotated: NDArray[np.float32] = np.rot90(mirrored, form % 4, axes=(-2, -1))
        return rotated

    def _tensor(self, rng: np.random.Generator, drawings: NDArray[np.float32]) -> torch.Tensor:
        images = torch.from_numpy(np.ascontiguousarray(drawings).reshape(-1, 1, *self.images.shape[2:]))
        return AUGMENTATIONS[self.augment](images, rng) if self.augment else images


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
