"""Assays of molecules: an episode is one assay, some of its molecules to learn from, and others to answer."""

import csv
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import molecules
from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.pool import Indices
from models.learner import Episode, Kind, Support

TOX21, MUV = Path("tox21.csv.gz"), Path("molecules/muv6500.csv.gz")
BBBP, CLINTOX = Path("molecules/bbbp.csv.gz"), Path("molecules/clintox.csv.gz")
TEST_ASSAYS = ("SR-HSE", "SR-MMP", "SR-p53")
"""The three that few-shot papers test on (Altae-Tran et al. 2017, arXiv:1611.03199)."""
NO_ASSAYS = ("smiles", "mol_id")
HELD_OUT = 85
"""A molecule is held out from training if the first byte of the SHA-256 of its SMILES is below this: a third of them,
and the same ones in all files."""


class Assay(NamedTuple):
    """The molecules of one assay (n, d), and whether each is active (n,)."""

    name: str
    inputs: NDArray[np.float32]
    active: NDArray[np.bool_]


class File(NamedTuple):
    """Molecules (n, d) as a model takes them, which are held out (n,), and their assays (n, assays), NaN where a
    molecule was not measured."""

    inputs: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    names: list[str]
    labels: NDArray[np.float32]

    def assays(self, names: Sequence[str], *, held_out: bool) -> list[Assay]:
        """Assays by name: of the molecules that are held out, or of the others."""
        found = []
        for name in names:
            labels = self.labels[:, self.names.index(name)]
            chosen = np.flatnonzero((self.held_out == held_out) & ~np.isnan(labels))
            found.append(Assay(name, self.inputs[chosen], labels[chosen] > 0))
        return found


@cache
def read(path: Path, bits: int, atoms: int = 0) -> File:
    """A CSV file with the column `smiles` and a column for each assay: 1, 0, or empty if not measured. Molecules that
    RDKit cannot read are left out."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in NO_ASSAYS]
    kept, read_rows = [], []
    for row in rows:
        try:
            read_rows.append(molecules.read(row["smiles"], bits, atoms))
            kept.append(row)
        except ValueError:
            continue
    labels = np.array([[float(row[name] or "nan") for name in names] for row in kept], np.float32)
    held_out = np.array([hashlib.sha256(row["smiles"].encode()).digest()[0] < HELD_OUT for row in kept])
    return File(molecules.numbers_of(np.array(read_rows)), held_out, names, labels)


class Assays(EpisodeSampler):
    """Episodes of one assay. The first class is inactive, the second active.

    Args:
        groups: Groups of assays. A group is drawn first, then one of its assays.
    """

    max_ways = 2

    def __init__(self, groups: Sequence[Sequence[Assay]]) -> None:
        self.groups = groups

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one assay and as many molecules of each class."""
        group = self.groups[int(rng.integers(len(self.groups)))]
        return draw(group[int(rng.integers(len(group)))], rng, shape.shots, shape.queries)


def draw(assay: Assay, rng: np.random.Generator, shots: int, queries: int | None) -> Episode:
    """An episode of `shots` and `queries` molecules of each class. None: all others are queries.

    A class with too few molecules is halved, and those of each half are repeated.
    """
    classes = [rng.permutation(np.flatnonzero(assay.active == active)) for active in (False, True)]
    own, asked = zip(*(_parted(members, shots, queries) for members in classes), strict=True)
    mask = torch.ones(2 * shots, dtype=torch.bool)
    support = Support(_inputs(assay, own), _targets(own), mask, 2)
    return Episode(support, _inputs(assay, asked), _targets(asked))


def _parted(members: Indices, shots: int, queries: int | None) -> tuple[Indices, Indices]:
    """Members to learn from and members to answer."""
    if queries is None:
        return members[:shots], members[shots:]
    first = min(shots, len(members) // 2)
    return np.resize(members[:first], shots), np.resize(members[first:], queries)


def _inputs(assay: Assay, parts: Sequence[Indices]) -> Tensor:
    return torch.from_numpy(assay.inputs[np.concatenate(parts)])


def _targets(parts: Sequence[Indices]) -> Tensor:
    return torch.cat([torch.full((len(part),), active) for active, part in enumerate(parts)])


SPLITS = {"train": TOX21, "held-out-molecules": TOX21, "tox21-test": TOX21, "bbbp": BBBP, "clintox": CLINTOX}
"""`train` has nine assays of Tox21 and all of MUV; `held-out-molecules` the same assays with other molecules. All
splits but `train` have only molecules that are held out."""


def groups_of(folder: Path, split: str, bits: int, atoms: int = 0) -> list[list[Assay]]:
    """The assays of a split."""
    own = read(folder / SPLITS[split], bits, atoms)
    tests = [name for name in own.names if name in TEST_ASSAYS]
    if split not in ("train", "held-out-molecules"):
        return [own.assays(tests or own.names, held_out=True)]
    muv, held_out = read(folder / MUV, bits, atoms), split != "train"
    names = [name for name in own.names if name not in tests]
    return [own.assays(names, held_out=held_out), muv.assays(muv.names, held_out=held_out)]


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Assays:
    assert path is not None
    return Assays(groups_of(path, split, input["bits"], input.get("atoms", 0)))


MOLECULES = Dataset(
    name="molecules",
    kind=Kind.CLASSIFICATION,
    input_type="molecule",
    splits=dict.fromkeys(SPLITS, "data"),
    test_split="tox21-test",
    open=_open,
    source="a folder with tox21.csv.gz and molecules/{muv6500,bbbp,clintox}.csv.gz",
)
