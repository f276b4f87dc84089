"""The columns of synthetic tables: numbers of many shapes, categories, useless columns and missing values."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rng = np.random.Generator


class Columns(NamedTuple):
    """Columns of a table.

    features  (rows, features) as a learner gets them: NaN for a missing number, one feature for each category
    values    (rows, columns) what each column stands for, which a label may depend on
    """

    features: Array
    values: Array


def columns(rng: Rng, values: Array, features: int) -> Columns:
    """Make columns of values (rows, at least `features`), until there are `features` features.

    A table has categories, booleans, rounded numbers, useless columns and gaps more or less often.
    """
    often = rng.beta(0.6, 1.2)
    useless = rng.choice([0.0, 0.0, 0.4]) * rng.random()
    parts, meanings, left = [], [], features
    for value in values.T:
        column = rng.permutation(value) if rng.random() < useless else value
        made, meaning = _categories(rng, column, left) if rng.random() < often else _numbers(rng, column)
        parts.append(made)
        meanings.append(meaning)
        left -= made.shape[1]
        if not left:
            break
    return Columns(_with_gaps(rng, np.concatenate(parts, 1)), np.stack(meanings, 1))


def _numbers(rng: Rng, column: Array) -> tuple[Array, Array]:
    """Numbers, sometimes rounded to few values."""
    if rng.random() < 0.3:
        step = rng.uniform(0.1, 1.0) * column.std() + 1e-9
        column = np.round(column / step)
    return column[:, None], column


def _categories(rng: Rng, column: Array, most: int) -> tuple[Array, Array]:
    """A boolean, or one feature for each of up to `most` categories, whose meanings are in order or not."""
    kinds = min(most, int(rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 8])))
    cuts = np.quantile(column, np.sort(rng.uniform(0.03, 0.97, max(1, kinds - 1))))
    codes = np.searchsorted(cuts, column)
    if kinds == 1:
        return codes[:, None].astype(float), codes.astype(float)
    order = rng.permutation(kinds)
    meanings = rng.standard_normal(kinds) if rng.random() < 0.5 else np.linspace(-1, 1, kinds)
    return np.eye(kinds)[order[codes]], meanings[codes]


def _with_gaps(rng: Rng, features: Array) -> Array:
    """Some cells missing in some tables: at random, or where the number is large. Categories become all zeros alone."""
    if rng.random() > 0.35:
        return features
    binary = ((features == 0) | (features == 1)).all(0)
    rates = rng.uniform(0, 0.6, features.shape[1]) * (rng.random(features.shape[1]) < rng.uniform(0, 1))
    chance = rng.random(features.shape)
    if rng.random() < 0.3:
        chance = 1 - features.argsort(0).argsort(0) / len(features)
    gone = chance < rates
    return np.where(gone, np.where(binary, 0.0, np.nan), features)


def shaped(rng: Rng, values: Array) -> Array:
    """Values (rows, columns) of other distributions: uniform, skewed, with heavy tails, of two peaks."""
    often = (0.5, 0.1, 0.15, 0.1, 0.1, 0.05) if rng.random() < 0.5 else (1.0, 0, 0, 0, 0, 0)
    kinds = rng.choice(6, p=often, size=values.shape[1])
    for number, change in enumerate(CHANGES, 1):
        chosen = kinds == number
        values[:, chosen] = change(values[:, chosen])
    return values


CHANGES: tuple[Callable[[Array], Array], ...] = (
    lambda x: np.tanh(0.8 * x),
    lambda x: np.exp(0.8 * x.clip(-4, 4)) - 1,
    lambda x: x * np.abs(x).clip(max=4),
    lambda x: np.sign(x) * (1 + 0.3 * np.abs(x)),
    lambda x: np.round(np.exp(x.clip(-4, 3))),
)
"""Monotone changes of a number."""
