"""scikit-learn on rows of a table as it is usually given them: imputed, scaled, one-hot."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from models.columns import Row

Array = NDArray[Any]
REGRESSORS: Mapping[str, Callable[[], Any]] = {
    "ridge": Ridge,
    "random forest": lambda: RandomForestRegressor(random_state=0),
}
"""Makes each baseline of a regression."""


def regressed(name: str, rows: Sequence[Row], values: Array, queries: Sequence[Row]) -> Array:
    """The answers (q,) of a baseline that is fitted to rows with their numbers (n,)."""
    own, asked = features(rows, queries)
    answers: Array = REGRESSORS[name]().fit(own, values).predict(asked)
    return answers


def features(rows: Sequence[Row], queries: Sequence[Row]) -> tuple[Array, Array]:
    """Features of the rows and of the queries, fitted to the rows."""
    texts = sorted({name for row in rows for name, value in row.items() if isinstance(value, str)})
    numbers = sorted({name for row in rows for name, value in row.items() if value is not None} - set(texts))
    parts = [_texts(rows, queries, texts)] if texts else []
    parts += [_numbers(rows, queries, numbers)] if numbers else []
    own, asked = (np.concatenate(each, 1) for each in zip(*parts, strict=True))
    return own, asked


def _numbers(rows: Sequence[Row], queries: Sequence[Row], names: Sequence[str]) -> tuple[Array, Array]:
    own, asked = (
        np.array([[np.nan if row.get(name) is None else row[name] for name in names] for row in some], float)
        for some in (rows, queries)
    )
    made = make_pipeline(SimpleImputer(), StandardScaler()).fit(own)
    return made.transform(own), made.transform(asked)


def _texts(rows: Sequence[Row], queries: Sequence[Row], names: Sequence[str]) -> tuple[Array, Array]:
    own, asked = ([[row.get(name) or "missing" for name in names] for row in some] for some in (rows, queries))
    made = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(own)
    return made.transform(own), made.transform(asked)
