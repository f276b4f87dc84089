"""Measured properties of molecules: an episode is one property, some molecules to learn from, and others to answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.molecules import read
from models.learner import Episode, Kind, Support

FILES = {"esol": Path("molecules/esol.csv.gz"), "lipophilicity": Path("molecules/lipophilicity.csv.gz")}
SPLITS = {"choice": tuple(FILES)} | {name: (name,) for name in FILES}
"""`choice` has the molecules of both files that are not held out: all choices were made on it, and the errors in the
card are of it. The others have those that are held out."""


class Property(NamedTuple):
    """The molecules (n, d) of one file, and a number that was measured of each (n,)."""

    name: str
    inputs: NDArray[np.float32]
    values: NDArray[np.float32]


class Properties(EpisodeSampler):
    """Episodes of one property."""

    def __init__(self, properties: Sequence[Property]) -> None:
        self.properties = properties

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one property and its molecules."""
        return draw(self.properties[int(rng.integers(len(self.properties)))], rng, shape.shots, shape.queries)


def draw(measured: Property, rng: np.random.Generator, shots: int, queries: int | None) -> Episode:
    """An episode of `shots` molecules to learn from and so many queries. None: all others are queries."""
    order = torch.from_numpy(rng.permutation(len(measured.values)))
    own, asked = order[:shots], order[shots : None if queries is None else shots + queries]
    inputs, values = torch.from_numpy(measured.inputs), torch.from_numpy(measured.values).unsqueeze(-1)
    support = Support(inputs[own], values[own], torch.ones(len(own), dtype=torch.bool), 0)
    return Episode(support, inputs[asked], values[asked])


def properties_of(folder: Path, split: str, bits: int) -> list[Property]:
    """The properties of a split."""
    return [_property(folder, name, bits, held_out=split != "choice") for name in SPLITS[split]]


def _property(folder: Path, name: str, bits: int, *, held_out: bool) -> Property:
    file = read(folder / FILES[name], bits)
    chosen = file.held_out == held_out
    return Property(name, file.inputs[chosen], file.labels[chosen, 0])


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Properties:
    assert path is not None
    return Properties(properties_of(path, split, input["bits"]))


MOLECULE_PROPERTIES = Dataset(
    name="molecule-properties",
    kind=Kind.REGRESSION,
    input_type="molecule",
    splits=dict.fromkeys(SPLITS, "data"),
    test_split="lipophilicity",
    open=_open,
    source="a folder with molecules/{esol,lipophilicity}.csv.gz",
)
