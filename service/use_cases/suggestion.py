"""Which unlabelled inputs are most worth a label.

An input is worth much if it resembles many others of which the model is unsure, and no earlier choice resembles them.
This is the greedy choice of a weighted facility location (Nemhauser, Wolsey, Fisher 1978; Wei, Iyer, Bilmes 2015,
"Submodularity in data subset selection and active learning").
"""

from typing import NamedTuple

import numpy as np

from service.arrays import Array

POWER = 0.25
"""Power of the probability that an answer is wrong, as a weight. Chosen on validation classes: with a larger one, the
second ten labels of photos help less, because the probabilities of a model of few examples say little."""
LEAST = 1e-4
"""The least such probability."""
TINY = 1e-6


class Choice(NamedTuple):
    """Places of inputs, the most worthy first, and the score of each: the share of all uncertainty that it stands for
    beside those before it."""

    places: list[int]
    scores: list[float]


def most_worthy(features: Array, probabilities: Array | None, count: int, power: float = POWER) -> Choice:
    """Choose inputs to label.

    Args:
        features: Features (n, d) of the inputs.
        probabilities: Probabilities (n, ways) of the model; None if it has learned nothing: all inputs weigh the same.
        count: How many to choose.
        power: How much uncertain inputs weigh more than others: 0 for not at all.
    """
    weights = np.ones(len(features), np.float32) if probabilities is None else uncertainty(probabilities, power)
    return _greedy(resemblance(features), weights / weights.sum(), min(count, len(features)))


def uncertainty(probabilities: Array, power: float = POWER) -> Array:
    """The weight (n,) of inputs with these probabilities (n, ways)."""
    found: Array = (np.clip(1 - probabilities.max(-1), LEAST, 1) ** power).astype(np.float32)
    return found


def resemblance(features: Array) -> Array:
    """How much inputs resemble each other (n, n): the positive cosines of standardised features, in which a missing
    number is the mean."""
    known = np.isfinite(features)
    means = np.where(known, features, 0).sum(0) / np.maximum(known.sum(0), 1)
    centred = np.where(known, features - means, 0)
    standard = centred / (centred.std(0) + TINY)
    units = standard / (np.linalg.norm(standard, axis=1, keepdims=True) + TINY)
    found: Array = np.maximum(units @ units.T, 0)
    return found


def _greedy(resembles: Array, weights: Array, count: int) -> Choice:
    """Choose the input with the largest gain, again and again. A gain never grows, so an old one is a bound."""
    bounds, covered = resembles @ weights, np.zeros(len(weights), np.float32)
    choice = Choice([], [])
    while len(choice.places) < count:
        place = int(bounds.argmax())
        gain = bounds[place] = np.maximum(resembles[place] - covered, 0) @ weights
        if gain < bounds.max():
            continue
        choice.places.append(place)
        choice.scores.append(float(gain))
        covered, bounds[place] = np.maximum(covered, resembles[place]), -1
    return choice
