"""Factors of items, such as films, from ratings: alternating ridge regressions.

Koren, Bell, Volinsky 2009, "Matrix Factorization Techniques for Recommender Systems", doi:10.1109/MC.2009.263.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FACTORS, ROUNDS, RIDGE = 8, 10, 8.0
"""Numbers for each item, how often both sides are fitted, and the ridge, in ratings."""
Numbers = NDArray[Any]


def item_factors(people: Numbers, items: Numbers, left: Numbers, count: int) -> Numbers:
    """Factors (count, FACTORS) of items, float32, of mean square 1; an item without ratings has zeros.

    Args:
        people: The person of each rating, (n,).
        items: The item of each rating, (n,).
        left: What the item's mean and the person's offset leave of each rating, (n,).
        count: Number of items.
    """
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(count, FACTORS))
    for _ in range(ROUNDS):
        tastes = _fitted(people, factors[items], left, int(people.max()) + 1)
        factors = _fitted(items, tastes[people], left, count)
    scaled: Numbers = factors / np.sqrt(np.square(factors[np.unique(items)]).mean())
    return scaled.astype(np.float32)


def _fitted(rows: Numbers, known: Numbers, left: Numbers, count: int) -> Numbers:
    """The ridge regression of each row's values `left` on what is known of the other side, (count, FACTORS)."""
    squares, sums = np.zeros((count, FACTORS, FACTORS)), np.zeros((count, FACTORS, 1))
    np.add.at(squares, rows, known[:, :, None] * known[:, None])
    np.add.at(sums, rows, (known * left[:, None])[:, :, None])
    found: Numbers = np.linalg.solve(squares + RIDGE * np.eye(FACTORS), sums)[:, :, 0]
    return found
