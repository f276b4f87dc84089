"""Omniglot (Lake et al. 2015): 1,623 characters of 50 alphabets, 20 drawings each, as 28x28 images with ink 1."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.learner import Kind, Support
from models.tasks.augment import affine
from models.tasks.episode import Episode, Shape

SIZE = 28
DRAWINGS = 20
VALIDATION_ALPHABETS = 5
"""Of the 30 background alphabets, in the order of their names spread evenly, are kept for validation."""

Split = str
SPLITS = (
    "vinyals-train", "vinyals-val", "vinyals-trainval", "vinyals-test",
    "alphabets-train", "alphabets-val", "alphabets-trainval", "alphabets-test",
)  # fmt: skip


class Characters(NamedTuple):
    """All drawings. `images` (characters, 20, 28, 28) float32; `names` "Alphabet/characterNN"; `background` bool."""

    images: NDArray[np.float32]
    names: list[str]
    background: NDArray[np.bool_]


class Omniglot:
    """Episodes over a set of classes. A class is a character in one of four orientations, or upright only."""

    kind = Kind.CLASSIFICATION

    def __init__(
        self,
        data: Characters,
        members: NDArray[np.intp],
        *,
        rotations: bool,
        within: bool = False,
        augment: bool = False,
    ) -> None:
        turns = range(4) if rotations else range(1)
        self.images, self.augment = data.images, augment
        self.classes = np.array([(member, turn) for member in members for turn in turns])
        alphabets = np.array([data.names[member].split("/")[0] for member, _ in self.classes])
        self.groups = [np.flatnonzero(alphabets == name) for name in np.unique(alphabets)]
        self.groups = self.groups if within else [np.arange(len(self.classes))]

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw classes, all of one alphabet if `within`, and drawings of each, in an order of classes by chance."""
        chosen = self._draw_classes(rng, shape.ways)
        drawings = np.stack([self._draw(rng, c, shape.shots + shape.queries) for c in chosen])
        support, query = drawings[:, : shape.shots], drawings[:, shape.shots :]
        inputs, asked = self._tensor(rng, support), self._tensor(rng, query)
        labels = torch.arange(shape.ways)
        mask = torch.ones(len(inputs), dtype=torch.bool)
        learned = Support(inputs, labels.repeat_interleave(shape.shots), mask, shape.ways)
        return Episode(learned, asked, labels.repeat_interleave(shape.queries))

    def _draw_classes(self, rng: np.random.Generator, ways: int) -> NDArray[np.intp]:
        large_enough = [group for group in self.groups if len(group) >= ways]
        if not large_enough:
            largest = max(len(group) for group in self.groups)
            raise ValueError(f"{ways} ways were asked for, but the largest group of classes has {largest}")
        group = large_enough[rng.integers(len(large_enough))]
        return rng.choice(group, ways, replace=False)

    def _draw(self, rng: np.random.Generator, index: int, count: int) -> NDArray[np.float32]:
        if count > DRAWINGS:
            raise ValueError(f"shots + queries is {count}, but a character has {DRAWINGS} drawings")
        member, turn = self.classes[index]
        drawings = self.images[member, rng.choice(DRAWINGS, count, replace=False)]
        return np.rot90(drawings, turn, axes=(-2, -1))

    def _tensor(self, rng: np.random.Generator, drawings: NDArray[np.float32]) -> torch.Tensor:
        images = torch.from_numpy(np.ascontiguousarray(drawings).reshape(-1, 1, SIZE, SIZE))
        return affine(images, rng) if self.augment else images


def tasks(path: Path, split: Split, *, within: bool = False, augment: bool = False) -> Omniglot:
    """The episodes of one split.

    `vinyals-*`: the lists of Vinyals et al. 2016 (which ignore alphabets), rotations are classes, at test too.
    `alphabets-*`: train and validate on the 30 background alphabets, test on the 20 evaluation alphabets; rotations
    are classes in training only.
    """
    data = load(path)
    scheme, part = split.split("-")
    members = _vinyals(data, path, part) if scheme == "vinyals" else _alphabets(data, part)
    rotations = scheme == "vinyals" or part.startswith("train")
    return Omniglot(data, members, rotations=rotations, within=within, augment=augment)


def load(path: Path) -> Characters:
    """Read Omniglot from `omniglot.npz`, or from a folder that holds the official `images_background` and
    `images_evaluation`, as folders or as zip files."""
    if path.suffix == ".npz":
        return _from_npz(path)
    parts = [("images_background", True), ("images_evaluation", False)]
    found = [(name, image, background) for part, background in parts for name, image in _drawings(path, part)]
    return _collect(found)


def _from_npz(path: Path) -> Characters:
    with np.load(path, allow_pickle=False) as packed:
        ink = np.unpackbits(packed["images"], axis=2, count=105)
        order = np.lexsort((packed["drawer"], packed["class_id"]))
        names, split = packed["class_names"], packed["split"][order]
    images = np.stack([shrink(image) for image in ink[order]])
    return Characters(images.reshape(-1, DRAWINGS, SIZE, SIZE), [str(n) for n in names], split[::DRAWINGS] == 0)


def _drawings(path: Path, part: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each drawing with the name of its character, in the order of characters and drawers."""
    if (path / part).is_dir():
        for file in sorted((path / part).glob("*/*/*.png")):
            yield f"{file.parts[-3]}/{file.parts[-2]}", _read(file.read_bytes())
        return
    archive = path / f"{part}.zip"
    if not archive.is_file():
        raise FileNotFoundError(
            f"{path} holds neither {part}/ nor {part}.zip; give a folder with both, or omniglot.npz"
        )
    with zipfile.ZipFile(archive) as zipped:
        for name in sorted(n for n in zipped.namelist() if n.endswith(".png")):
            yield "/".join(name.split("/")[-3:-1]), _read(zipped.read(name))


def _read(png: bytes) -> NDArray[np.float32]:
    return shrink(1 - np.asarray(Image.open(io.BytesIO(png)).convert("1"), dtype=np.uint8))


def shrink(ink: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ink 0 or 1 of any square size to 28x28, each pixel the mean of its area."""
    box = Image.fromarray(ink * np.uint8(255)).resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(box, dtype=np.float32) / np.float32(255)


def _collect(found: list[tuple[str, NDArray[np.float32], bool]]) -> Characters:
    images = np.stack([image for _, image, _ in found]).reshape(-1, DRAWINGS, SIZE, SIZE)
    firsts = found[::DRAWINGS]
    return Characters(images, [name for name, _, _ in firsts], np.array([background for _, _, background in firsts]))


def _vinyals(data: Characters, path: Path, part: str) -> NDArray[np.intp]:
    file = (path.parent if path.is_file() else path) / "omniglot_vinyals_split.json"
    lists: dict[str, list[str]] = json.loads(file.read_text())
    wanted = lists["train"] + lists["val"] if part == "trainval" else lists[part]
    index = {name: i for i, name in enumerate(data.names)}
    return np.array([index[name] for name in wanted])


def _alphabets(data: Characters, part: str) -> NDArray[np.intp]:
    alphabets = np.array([name.split("/")[0] for name in data.names])
    if part == "test":
        return np.flatnonzero(~data.background)
    background = np.unique(alphabets[data.background])
    validation = background[:: len(background) // VALIDATION_ALPHABETS]
    kept = {
        "train": ~np.isin(alphabets, validation),
        "val": np.isin(alphabets, validation),
        "trainval": data.background,
    }
    return np.flatnonzero(data.background & kept[part])
