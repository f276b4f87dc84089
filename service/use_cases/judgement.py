"""Figures of answers whose right labels are known: accuracy with an interval, F1, confusions, calibration, suspects.

Pure functions of arrays. Probabilities are (n, ways), targets class indices (n,).
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from service.arrays import Array

Z95 = 1.959964
"""The quantile of the normal distribution for an interval of 95 %."""
CONFIDENT = 0.8
"""A wrong answer is confident from this share of what the answer has for the examples of its class."""
BINS = 10
"""Bins of equal width of the calibration error."""


class Confused(NamedTuple):
    """How often examples of one of two classes were answered with the other."""

    first: int
    second: int
    times: int


class Suspect(NamedTuple):
    """The place of an example that is probably labelled wrong, the answer to it, and its probability."""

    place: int
    answer: int
    probability: float


class PerClass(NamedTuple):
    """Precision, recall and F1 of one class, 0 where they are not defined, and the number of its examples."""

    precision: float
    recall: float
    f1: float
    examples: int


class CurvePoint(NamedTuple):
    """What a threshold does: the share of queries of known classes that it keeps, the accuracy of those, and the share
    of queries of no class that it keeps, None without such."""

    min_probability: float
    kept: float
    accuracy: float | None
    unknown_kept: float | None


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    share, squared = right / count, Z95**2 / count
    middle = (share + squared / 2) / (1 + squared)
    half = Z95 / (1 + squared) * math.sqrt(share * (1 - share) / count + squared / (4 * count))
    return max(0.0, middle - half) if right else 0.0, min(1.0, middle + half) if right < count else 1.0


def confusion(answers: Array, targets: Array, ways: int) -> Array:
    """How often each class (rows) was answered with each class (columns), (ways, ways)."""
    counts = np.zeros((ways, ways), np.int64)
    np.add.at(counts, (targets, answers), 1)
    return counts


def per_class(counts: Array) -> list[PerClass]:
    """The figures of each class, from a confusion matrix."""
    right, given, there = counts.diagonal(), counts.sum(0), counts.sum(1)
    found = []
    for hit, answered, own in zip(right.tolist(), given.tolist(), there.tolist(), strict=True):
        precision, recall = hit / max(answered, 1), hit / max(own, 1)
        found.append(PerClass(precision, recall, 2 * hit / max(answered + own, 1), own))
    return found


def macro_f1(counts: Array) -> float:
    """The mean F1 of the classes that occur."""
    return float(np.mean([each.f1 for each in per_class(counts) if each.examples]))


def most_confused(counts: Array, most: int) -> list[Confused]:
    """The pairs of classes that are confused most often, the most confused first."""
    both = np.triu(counts + counts.T, 1)
    order = np.argsort(-both, axis=None, kind="stable")[:most]
    pairs = [(int(place) // len(counts), int(place) % len(counts)) for place in order]
    return [Confused(*pair, int(both[pair])) for pair in pairs if both[pair]]


def suspects(probabilities: Array, targets: Array, most: int) -> list[Suspect]:
    """Examples that are confidently answered with another label, the most confident first.

    Confident: the answer is about as probable as it is, in the mean, for the examples that have that label (confident
    learning: Northcutt, Jiang, Chuang 2021, arXiv:1911.00068), and at least twice as probable as the label.
    """
    answers, own = probabilities.argmax(-1), probabilities[np.arange(len(targets)), targets]
    sums = np.bincount(targets, own, probabilities.shape[1])
    usual = sums / np.maximum(np.bincount(targets, minlength=probabilities.shape[1]), 1)
    top = probabilities.max(-1)
    places = np.flatnonzero((answers != targets) & (top >= CONFIDENT * usual[answers]) & (top >= 2 * own))
    order = places[np.argsort(-top[places], kind="stable")][:most]
    return [Suspect(int(place), int(answers[place]), float(top[place])) for place in order]


def calibration_error(probabilities: Array, targets: Array) -> float:
    """The expected calibration error: the mean distance between probability and accuracy over bins of probability."""
    top, right = probabilities.max(-1), probabilities.argmax(-1) == targets
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    gaps = [abs(float((top - right)[bins == each].sum())) for each in np.unique(bins)]
    return sum(gaps) / len(targets)


def threshold_curve(scores: Array, right: Array, unknown: Array, points: int = 21) -> list[CurvePoint]:
    """What thresholds on the score do, from keeping all queries to keeping few.

    Args:
        scores: Scores (n,) of queries of known classes.
        right: Whether each is answered with its class.
        unknown: Scores (m,) of queries of no class.
        points: Number of thresholds: quantiles of the scores.
    """
    found = []
    for threshold in np.unique(np.quantile(scores, np.linspace(0, 1, points), method="lower")):
        kept = scores >= threshold
        others = float((unknown >= threshold).mean()) if len(unknown) else None
        found.append(CurvePoint(float(threshold), float(kept.mean()), float(right[kept].mean()), others))
    return found


def lowest_kept(scores: Array, coverage: float) -> float | None:
    """The threshold that keeps at least a share `coverage` of new scores from where these come, on average over draws
    of them (split conformal prediction: Vovk, Gammerman, Shafer 2005). None if there are too few scores for that."""
    rank = math.floor((1 - coverage) * (len(scores) + 1) + 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else None


def tally(keys: Sequence[str]) -> dict[str, list[int]]:
    """The places of each key that occurs more than once."""
    often = {key for key, count in Counter(keys).items() if count > 1}
    found: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        if key in often:
            found.setdefault(key, []).append(place)
    return found
