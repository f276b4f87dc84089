"""Rows of a table as scikit-learn is usually given them: imputed, scaled, one-hot."""

from collections.abc import Sequence

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from models.columns import Row
from service.arrays import Array


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
