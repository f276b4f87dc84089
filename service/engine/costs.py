"""What a job will cost: a few measured jobs of each model, and a line through them."""

import bisect
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from service.arrays import Array

Terms = tuple[float, ...]
"""The sizes that the cost of a job grows with. The first is 1, for what does not grow."""

PIECE_S = 0.05
"""Seconds of one piece of a large job."""
FIRST_OBSERVATIONS = 16
"""Jobs that a curve learns from in any case."""
MANY_EXAMPLES, MANY_NUMBERS = 256, 2**14
"""Above these sizes a curve may turn upwards, once such a job was measured: few measured jobs are so large."""
TOLERANCE = 0.25
"""Later, a job is learned from if its estimate was wrong by this fraction."""
OBSERVATIONS = 64
"""Jobs that a curve remembers."""
SHRINK = 1.1
"""A measurement replaces an earlier one of the same job if that took so many times as long. Whatever else the machine
does can only make a job slower."""


class Cost(NamedTuple):
    """An estimate: the seconds of a job alone, and how many of them remain when it joins a batch."""

    seconds: float = 0.0
    marginal: float = 0.0


FREE = Cost()
"""The cost of a job of which nothing is known yet."""


class Curve:
    """What one kind of job of one model takes, in seconds or bytes: non-negative coefficients of the terms, fitted to
    measured jobs."""

    def __init__(self) -> None:
        self._measured: dict[Terms, float] = {}
        self._coefficients: Array | None = None
        self._lock = threading.Lock()

    def cost(self, terms: Terms) -> Cost:
        """Estimate a job; it is free as long as nothing was measured."""
        if self._coefficients is None:
            return FREE
        parts = self._coefficients * np.array(terms)
        return Cost(float(parts.sum()), float(parts[1:].sum()))

    def total(self, terms: Terms) -> float:
        """Estimate a job that runs alone."""
        return self.cost(terms).seconds

    def measure(self, terms: Terms, amount: float) -> None:
        """Learn from a job that ran alone. An amount of 0 is below what can be measured, and says
        nothing; nor does NaN."""
        with self._lock:
            if not amount > 0 or self._known(terms, amount):
                return
            self._measured.pop(terms, None)
            self._measured[terms] = amount
            if len(self._measured) > OBSERVATIONS:
                del self._measured[next(iter(self._measured))]
            self._coefficients = fit(list(self._measured), list(self._measured.values()))

    def _known(self, terms: Terms, amount: float) -> bool:
        if terms in self._measured:
            return amount * SHRINK > self._measured[terms]
        enough = len(self._measured) >= FIRST_OBSERVATIONS
        return enough and abs(self.total(terms) - amount) < TOLERANCE * amount


def fit(terms: Sequence[Terms], amounts: Sequence[float]) -> Array:
    """Coefficients (terms,), none of them negative, with the least squares of relative errors."""
    weighted = np.array(terms) / np.array(amounts)[:, None]
    scale = weighted.max(0)
    # A term that was 0 in every measured job has no coefficient: rounding errors over its scale would be immense.
    coefficients, active = np.zeros(len(scale)), [int(i) for i in np.flatnonzero(scale)]
    while active:
        found = np.linalg.lstsq(weighted[:, active] / scale[active], np.ones(len(weighted)))[0]
        if (found >= 0).all():
            coefficients[active] = found / scale[active]
            break
        active.pop(int(found.argmin()))
    return coefficients


def adapt_terms(new: int, examples: int, ways: int) -> Terms:
    """What an adapt grows with: examples to encode, examples, classes, and examples above `MANY_EXAMPLES`."""
    return (1.0, new, examples, ways, max(0, examples - MANY_EXAMPLES))


def predict_terms(queries: int, numbers: int, *, together: bool, crowded: bool) -> Terms:
    """What a predict grows with.

    Args:
        queries: Number of queries.
        numbers: Numbers in the state.
        together: The queries are answered together, in an inference of their own.
        crowded: The time of a query grows faster than the state.
    """
    above = queries * max(0, numbers - MANY_NUMBERS)
    return (1.0, queries, queries * numbers, above, queries * numbers**2 * crowded, float(together and queries > 1))


def most_that_fits(amount: Callable[[int], float], count: int, limit: float) -> int:
    """The largest number below `count` that takes at most `limit`; 0 if there is none."""
    return bisect.bisect_right(range(1, count), limit, key=amount)
