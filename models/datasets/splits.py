"""The splits of Omniglot: which characters are for training, validation and testing."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.characters import Characters

VALIDATION_ALPHABETS = 5
"""Number of the 30 background alphabets kept for validation: every sixth, in the order of their names."""

SPLITS = (
    "vinyals-train", "vinyals-val", "vinyals-trainval", "vinyals-test",
    "alphabets-train", "alphabets-val", "alphabets-trainval", "alphabets-test",
    "scripts-train", "scripts-near", "scripts-far",
)  # fmt: skip

SCRIPTS = {
    "train": ("Anglo-Saxon_Futhorc", "Arcadian", "Armenian", "Asomtavruli_(Georgian)", "Cyrillic", "Early_Aramaic"),
    "near": ("Greek", "Hebrew", "Latin", "Mkhedruli_(Georgian)"),
    "far": ("Balinese", "Bengali", "Burmese_(Myanmar)", "Grantha", "Gujarati", "Sanskrit"),
}
"""Train: alphabets of Europe and the Levant. Near: related ones. Far: scripts of South Asia."""


def members(data: Characters, path: Path, split: str) -> NDArray[np.intp]:
    """The characters of one split, as row numbers of `data`.

    `vinyals-*`: the lists of Vinyals et al. 2016, which ignore alphabets, from a file beside the data.
    `alphabets-*`: training and validation on the 30 background alphabets, testing on the 20 evaluation alphabets.
    `scripts-*`: training on some background alphabets; `near` and `far` alphabets measure domain shift.
    """
    scheme, part = split.split("-")
    if scheme == "vinyals":
        return _vinyals(data, path, part)
    return _alphabets(data, part) if scheme == "alphabets" else _scripts(data, part)


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


def _scripts(data: Characters, part: str) -> NDArray[np.intp]:
    alphabets = [name.split("/")[0] for name in data.names]
    return np.flatnonzero(np.isin(alphabets, SCRIPTS[part]))


def rotated(split: str) -> bool:
    """Whether rotated characters are classes of their own: in training, and in all parts of the Vinyals split."""
    scheme, part = split.split("-")
    return scheme == "vinyals" or part in ("train", "trainval")
