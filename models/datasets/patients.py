"""Patients of four hospitals: an episode is one hospital, some of its patients to learn from, and others to answer.

Heart disease data of Cleveland, Budapest, Zurich with Basel, and Long Beach: Detrano et al. 1989,
doi:10.1016/0002-9149(89)90524-9.
"""

import csv
import gzip
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from models.columns import Column, Row, Value, encode
from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.tables import Drawn, Table, draw
from models.learner import Episode, Kind, Support

FILE = "heart_four_hospitals.csv.gz"
HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
CLASSES = ("disease", "no disease")


class Known(NamedTuple):
    """A column: its name here and in the file, and how to read a cell. A number has a usual value and its spread."""

    name: str
    cell: str
    read: Callable[[str], Value]
    values: tuple[str, ...] = ()
    usual: float = 0.5
    spread: float = 0.5


def _coded(name: str, cell: str, codes: dict[str, str]) -> Known:
    return Known(name, cell, codes.get, tuple(sorted(codes.values())), 0.0, 1.0)


def _flag(text: str) -> bool:
    return float(text) > 0


def _measured(text: str) -> float | None:
    """A number that is 0 where it was not measured."""
    return float(text) or None


COLUMNS = (
    Known("age", "age", float, (), 54.0, 9.0),
    Known("male", "sex", _flag),
    _coded("chest pain", "cp", {"1": "typical angina", "2": "atypical angina", "3": "other pain", "4": "none"}),
    Known("blood pressure", "trestbps", _measured, (), 130.0, 18.0),
    Known("cholesterol", "chol", _measured, (), 240.0, 60.0),
    Known("fasting sugar over 120", "fbs", _flag),
    _coded("resting ECG", "restecg", {"0": "normal", "1": "ST-T abnormality", "2": "hypertrophy"}),
    Known("highest heart rate", "thalach", float, (), 138.0, 26.0),
    Known("angina in exercise", "exang", _flag),
    Known("ST depression", "oldpeak", float, (), 0.9, 1.1),
    _coded("ST slope", "slope", {"1": "up", "2": "flat", "3": "down"}),
    Known("vessels", "ca", float, (), 0.7, 0.9),
    _coded("thallium scan", "thal", {"3": "normal", "6": "fixed defect", "7": "reversible defect"}),
)


def _type(known: Known) -> str:
    return "text" if known.values else "boolean" if known.read is _flag else "number"


def columns() -> list[Column]:
    """The columns as functions of tables take them."""
    return [Column(name=each.name, type=_type(each), values=list(each.values), ignored=None) for each in COLUMNS]


def card_columns() -> list[dict[str, Any]]:
    """The columns as the input of a card has them."""
    return [
        {"name": each.name, "type": _type(each), "values": list(each.values)}
        | ({} if _type(each) != "number" else {"usual": each.usual})
        for each in COLUMNS
    ]


def scaling() -> dict[str, list[float]]:
    """The centre and the scale of each feature."""
    each = [known for known in COLUMNS for _ in known.values or (known.name,)]
    return {"centres": [known.usual for known in each], "scales": [known.spread for known in each]}


@cache
def read(path: Path) -> dict[str, Table]:
    """The patients of each hospital, and whether they have a heart disease: any narrowing over 50 %."""
    with gzip.open(path, "rt", newline="") as file:
        cells = list(csv.DictReader(file))
    tables = {}
    for hospital in HOSPITALS:
        own = [each for each in cells if each["site"] == hospital]
        labels = [CLASSES[int(each["num"] == "0")] for each in own]
        tables[hospital] = Table(hospital, [_row(each) for each in own], labels)
    return tables


def _row(cells: Mapping[str, str]) -> Row:
    return {each.name: each.read(text) if (text := cells[each.cell]) else None for each in COLUMNS}


class Patients(EpisodeSampler):
    """Episodes of ways x shots patients of one hospital, as they come, with at least one of each class."""

    max_ways = 2

    def __init__(self, hospitals: Sequence[Table]) -> None:
        self.hospitals = hospitals

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one hospital and its patients."""
        hospital = self.hospitals[int(rng.integers(len(self.hospitals)))]
        return episode_of(draw(hospital, rng, 2 * shape.shots, 2 * shape.queries, 2))


def episode_of(drawn: Drawn) -> Episode:
    """The patients as numbers, NaN for what is missing."""
    known = columns()
    inputs, queries = (torch.from_numpy(encode(rows, known)) for rows in (drawn.rows, drawn.queries))
    targets, answers = (torch.tensor(each, dtype=torch.int64) for each in (drawn.targets, drawn.answers))
    return Episode(Support(inputs, targets, torch.ones(len(targets), dtype=torch.bool), 2), queries, answers)


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Patients:
    assert path is not None
    tables = read(path / FILE)
    return Patients([table for name, table in tables.items() if SPLITS[split](name)])


SPLITS: dict[str, Callable[[str], bool]] = {
    **{name: name.__eq__ for name in HOSPITALS},
    **{f"without-{name}": name.__ne__ for name in HOSPITALS},
}

PATIENTS = Dataset(
    name="patients",
    kind=Kind.CLASSIFICATION,
    input_type="record",
    splits=dict.fromkeys(SPLITS, "tables"),
    test_split="va",
    open=_open,
    source=f"a folder with {FILE}",
)
