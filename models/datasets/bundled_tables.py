"""Tables that come with scikit-learn, to choose on. They need scikit-learn: pip install scikit-learn."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.datasets.tables import Table

CANCER = (
    "mean texture",
    "mean smoothness",
    "mean symmetry",
    "mean fractal dimension",
    "texture error",
    "symmetry error",
)
"""Columns of the breast cancer table that are predicted too."""


def bundled(name: str, load: Callable[[], Mapping[str, Any]]) -> Table:
    """A table that comes with scikit-learn, with its own target as numbers; as classes if those are whole."""
    found = load()
    names = [str(each) for each in found["feature_names"]]
    rows = [dict(zip(names, row, strict=True)) for row in found["data"].tolist()]
    whole = np.issubdtype(found["target"].dtype, np.integer)
    return Table(name, rows, [str(label) if whole else float(label) for label in found["target"]])


def choice_tables() -> list[Table]:
    """Irises and breast cancer, and the same with a column to predict: whether it is above its median."""
    from sklearn import datasets  # noqa: PLC0415 (a dependency of development only)

    iris, cancer = bundled("iris", datasets.load_iris), bundled("breast cancer", datasets.load_breast_cancer)
    return [iris, cancer, *(_above(iris, name) for name in iris.rows[0]), *(_above(cancer, name) for name in CANCER)]


def _above(table: Table, column: str) -> Table:
    values = np.array([row[column] for row in table.rows], float)
    rows = [{name: value for name, value in row.items() if name != column} for row in table.rows]
    return Table(f"{table.name}: {column}", rows, [str(above) for above in values > np.median(values)])
