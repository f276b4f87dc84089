"""Answers of several labels: their probabilities, thresholds and figures. Pure functions of arrays.

Logits and probabilities are (n, ways), `truth` is bool (n, ways).
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from service.arrays import Array
from service.inputs.labels import Classes
from service.use_cases.judgement import BINS, PerClass, lowest_kept

DEFAULT_THRESHOLD = 0.35
"""Chosen on validation classes (`python -m benchmarks.several_labels`), as the best for F1 with 10 to 100 examples."""
ClassLabel = str | int


class LabelThreshold(BaseModel):
    """From which probability on an answer has a label."""

    label: ClassLabel
    at_least: float
    source: Literal["default", "client", "request"] = Field(
        description="default: the same for all. client: from the client's own examples of the label, each left out "
        "once, so that a share `coverage` of the queries of the label gets it. request: as sent."
    )


def independent(logits: Array) -> Array:
    """The probability of each class by itself, in double precision."""
    found: Array = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -700, 700)))
    return found


def thresholds_of(
    classes: Classes, coverage: float | None, given: float | None, probabilities: Array, truth: Array
) -> list[LabelThreshold]:
    """The threshold of each class.

    Args:
        classes: The classes.
        coverage: The share of the queries of a class that shall get it; None: the default threshold.
        given: The threshold of the request for all classes; None: none.
        probabilities: Those of left-out examples.
        truth: The labels of these.
    """
    if given is not None:
        return [LabelThreshold(label=label, at_least=given, source="request") for label in classes]
    found = []
    for place, label in enumerate(classes):
        own = probabilities[truth[:, place], place] if len(truth) else np.zeros(0)
        least = None if coverage is None else lowest_kept(own, coverage)
        source: Literal["default", "client"] = "default" if least is None else "client"
        found.append(LabelThreshold(label=label, at_least=DEFAULT_THRESHOLD if least is None else least, source=source))
    return found


def per_label(answers: Array, truth: Array) -> list[PerClass]:
    """The figures of each class, of answers bool (n, ways)."""
    hits, given, there = (answers & truth).sum(0), answers.sum(0), truth.sum(0)
    return [
        PerClass(hit / max(answered, 1), hit / max(own, 1), 2 * hit / max(answered + own, 1), own)
        for hit, answered, own in zip(hits.tolist(), given.tolist(), there.tolist(), strict=True)
    ]


def micro_f1(answers: Array, truth: Array) -> float:
    """F1 over all pairs of an example and a class; 1 where there are no labels and none is answered."""
    total = int(answers.sum() + truth.sum())
    return 2 * int((answers & truth).sum()) / total if total else 1.0


def macro_f1(answers: Array, truth: Array) -> float:
    """The mean F1 of the classes that occur; 1 without any."""
    found = [each.f1 for each in per_label(answers, truth) if each.examples]
    return float(np.mean(found)) if found else 1.0


def independent_calibration_error(probabilities: Array, truth: Array) -> float:
    """The expected calibration error over all pairs of an example and a class."""
    flat, right = probabilities.ravel(), truth.ravel()
    bins = np.minimum((flat * BINS).astype(int), BINS - 1)
    return sum(abs(float((flat - right)[bins == each].sum())) for each in np.unique(bins)) / max(len(flat), 1)
