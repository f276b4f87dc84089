"""Episodes of Omniglot's characters."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets import splits
from models.datasets.augment import AUGMENTATIONS
from models.datasets.characters import DRAWINGS, SIZE, Characters, load
from models.datasets.episode import Shape
from models.learner import Episode, Kind, Support


class Omniglot:
    """Episodes over a set of classes. A class is a character in one of `forms`: 1 upright only, 4 also turned by 90,
    180 and 270 degrees, 8 also mirrored.

    `within`: an episode's classes come from one alphabet, in one form.
    `augment`: how every drawing is moved on its own (`augment.py`).
    `unlabelled`: classes are not known; each class of an episode is one drawing, its examples moved versions of that
    one (Khodadadeh et al. 2019, arXiv:1811.11819).
    """

    kind = Kind.CLASSIFICATION

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
        kin = [(data.names[member].split("/")[0], form) for member, form in self.classes]
        self.groups = [np.array([i for i, one in enumerate(kin) if one == group]) for group in sorted(set(kin))]

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw classes and drawings of each, in an order of classes by chance."""
        chosen = self._draw_classes(rng, shape)
        drawings = np.stack([self._draw(rng, c, shape.shots + shape.queries) for c in chosen])
        support, query = drawings[:, : shape.shots], drawings[:, shape.shots :]
        inputs, asked = self._tensor(rng, support), self._tensor(rng, query)
        labels = torch.arange(shape.ways)
        mask = torch.ones(len(inputs), dtype=torch.bool)
        learned = Support(inputs, labels.repeat_interleave(shape.shots), mask, shape.ways)
        return Episode(learned, asked, labels.repeat_interleave(shape.queries))

    def _draw_classes(self, rng: np.random.Generator, shape: Shape) -> NDArray[np.intp]:
        if self.within:
            return rng.choice(self._group(rng, shape.ways), shape.ways, replace=False)
        if len(self.classes) < shape.ways:
            raise ValueError(f"{shape.ways} ways were asked for, but there are {len(self.classes)} classes")
        if shape.alike and rng.random() < shape.alike:
            return self._draw_alike(rng, shape.ways)
        return rng.choice(len(self.classes), shape.ways, replace=False)

    def _group(self, rng: np.random.Generator, ways: int) -> NDArray[np.intp]:
        large_enough = [group for group in self.groups if len(group) >= ways]
        if not large_enough:
            largest = max(len(group) for group in self.groups)
            raise ValueError(f"{ways} ways were asked for, but the largest group of classes has {largest}")
        return large_enough[rng.integers(len(large_enough))]

    def _draw_alike(self, rng: np.random.Generator, ways: int) -> NDArray[np.intp]:
        """Classes of as few alphabets as it takes, in an order by chance."""
        shuffled = [rng.permutation(self.groups[i]) for i in rng.permutation(len(self.groups))]
        return rng.permutation(np.concatenate(shuffled)[:ways])

    def _draw(self, rng: np.random.Generator, index: int, count: int) -> NDArray[np.float32]:
        if count > DRAWINGS:
            raise ValueError(f"shots + queries is {count}, but a character has {DRAWINGS} drawings")
        member, form = self.classes[index]
        different = rng.choice(DRAWINGS, count, replace=False)
        drawings = self.images[member, different[:1].repeat(count) if self.unlabelled else different]
        turned: NDArray[np.float32] = np.rot90(drawings[..., ::-1] if form >= 4 else drawings, form % 4, axes=(-2, -1))
        return turned

    def _tensor(self, rng: np.random.Generator, drawings: NDArray[np.float32]) -> torch.Tensor:
        images = torch.from_numpy(np.ascontiguousarray(drawings).reshape(-1, 1, *self.images.shape[2:]))
        return AUGMENTATIONS[self.augment](images, rng) if self.augment else images


def tasks(
    path: Path,
    split: str,
    *,
    within: bool = False,
    augment: str | None = None,
    unlabelled: bool = False,
    forms: int | None = None,
    size: int = SIZE,
) -> Omniglot:
    """The episodes of one split. When `forms` is not said, rotations are classes in training, and in the Vinyals split
    at validation and test too, as published."""
    data = load(path, size)
    turned = split.startswith("vinyals") or "train" in split
    chosen = splits.members(data, path, split)
    return Omniglot(
        data, chosen, forms=forms or (4 if turned else 1), within=within, augment=augment, unlabelled=unlabelled
    )
