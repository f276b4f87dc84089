"""Figures of a client's answers to labelled queries."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from service import absent
from service.arrays import Array
from service.cards import Card
from service.errors import Unprocessable
from service.inputs.labels import checked_labels, regression_targets
from service.inputs.sent import typed_labels
from service.store.records import Record
from service.use_cases.confusion import Answers, ClassLabel, counted
from service.use_cases.judgement import (
    PerClass,
    calibration_error,
    confusion,
    macro_f1,
    per_class,
    threshold_curve,
    wilson,
)
from service.use_cases.label_sets import (
    DEFAULT_THRESHOLD,
    independent,
    independent_calibration_error,
    micro_f1,
    per_label,
)
from service.use_cases.label_sets import macro_f1 as macro_f1_of_sets

NO_CLASS = -1
"""The target of a query that belongs to no class."""


class ClassFigures(BaseModel):
    """The figures of one class."""

    label: ClassLabel
    precision: float
    recall: float
    f1: float
    queries: int


class CurvePoint(BaseModel):
    """What a threshold does, as `min_probability` of a predict."""

    min_probability: float
    kept: float = Field(description="Share of the queries of the classes that are not `unknown`.")
    accuracy: float | None = Field(description="Share of right answers among these.")
    unknown_kept: float | None = Field(
        description="Share of the queries of no class that are not `unknown`; null without such queries."
    )


class Evaluation(BaseModel):
    """How well a version of a client answers labelled queries."""

    client_id: str
    model: str
    version: int
    queries: int = Field(description="Queries with a label.")
    unknown: int = Field(0, description="Queries of no class; they count in `thresholds` only.")
    accuracy: float | None = Field(None, description="null for regression.")
    interval: tuple[float, float] | None = Field(None, description="The 95 % Wilson interval of the accuracy.")
    micro_f1: Annotated[
        float | None,
        Field(
            description="F1 over all pairs of a query and a label. Absent unless a query may have several labels; "
            "then an answer is right if all its labels are.",
            exclude_if=absent.if_none,
        ),
    ] = None
    macro_f1: float | None = Field(None, description="Mean F1 of the classes that occur.")
    calibration_error: float | None = Field(None, description="Expected calibration error, over ten bins.")
    classes: list[ClassFigures] = []
    confusion: list[Answers] = Field([], description="All counts above 0 of the confusion matrix.")
    thresholds: list[CurvePoint] = []
    mse: float | None = Field(None, description="Mean squared error; null for classes.")
    mae: float | None = Field(None, description="Mean absolute error; null for classes.")


def targets_of(record: Record, card: Card, labels: Sequence[Any]) -> Array:
    """The targets of labelled queries: class indices, `NO_CLASS` for null; or values. Raises Unprocessable."""
    numbers = record.classes is None or bool(record.classes and isinstance(record.classes[0], int))
    labels = typed_labels(labels, numbers=numbers)
    if record.classes is None:
        try:
            return regression_targets(labels, card.outputs or 1)
        except Unprocessable as error:
            field = None if error.field is None else error.field.replace("support", "queries")
            raise Unprocessable(error.detail.replace("support", "queries"), field=field) from None
    places = {label: place for place, label in enumerate(record.classes)}
    if record.several:
        return _sets_of(places, labels)
    return np.array([_target(places, i, label) for i, label in enumerate(labels)], np.int64)


def _sets_of(places: dict[Any, int], labels: Sequence[Any]) -> Array:
    """Whether each query has each class, (q, ways). A single label is a set of one, and null the empty set."""
    truth = np.zeros((len(labels), len(places)), bool)
    for i, given in enumerate(labels):
        own = given if isinstance(given, list) else [] if given is None else [given]
        name = "labels" if isinstance(given, list) else "label"
        truth[i, [_target(places, i, label, name) for label in own]] = True
    return truth


def _target(places: dict[Any, int], number: int, label: Any, name: str = "label") -> int:
    if label is None and name == "label":
        return NO_CLASS
    field = f"queries[{number}].{name}"
    try:
        [checked] = checked_labels([label])
    except Unprocessable as error:
        raise Unprocessable(error.detail.replace("support[0].label", field), field=field) from None
    if checked not in places:
        raise Unprocessable(
            f"{field}: the client has no class {checked!r}. Send a label that it has, or null for a query of no class.",
            field=field,
        )
    return places[checked]


def evaluation(record: Record, card: Card, answers: Array, targets: Array) -> Evaluation:
    """The figures of logits (q, ways) or values (q, outputs). Raises Unprocessable if no query has a class."""
    known = {"client_id": record.client_id, "model": record.model, "version": record.version}
    if record.classes is None:
        errors = answers - targets
        mse, mae = float(np.square(errors).mean()), float(np.abs(errors).mean())
        return Evaluation(**known, queries=len(targets), mse=mse, mae=mae)
    if record.several:
        return _evaluation_of_sets(record, known, independent(answers), targets)
    inside = targets != NO_CLASS
    if not inside.any():
        raise Unprocessable("queries: none has a label. Send at least one query of a class.", field="queries")
    probabilities, own = card.probabilities(answers), targets[inside]
    best, top = probabilities.argmax(-1)[inside], probabilities.max(-1)
    right, counts = best == own, confusion(best, own, len(record.classes))
    curve = threshold_curve(top[inside], right, top[~inside])
    return Evaluation(
        **known,
        queries=len(own),
        unknown=int((~inside).sum()),
        accuracy=float(right.mean()),
        interval=wilson(int(right.sum()), len(own)),
        macro_f1=macro_f1(counts),
        calibration_error=calibration_error(probabilities[inside], own),
        classes=_classes(record, counts),
        confusion=counted(record.classes or [], counts),
        thresholds=[CurvePoint(**point._asdict()) for point in curve],
    )


def _evaluation_of_sets(record: Record, known: dict[str, Any], probabilities: Array, truth: Array) -> Evaluation:
    answers = probabilities >= DEFAULT_THRESHOLD
    right = int((answers == truth).all(-1).sum())
    return Evaluation(
        **known,
        queries=len(truth),
        accuracy=right / len(truth),
        interval=wilson(right, len(truth)),
        micro_f1=micro_f1(answers, truth),
        macro_f1=macro_f1_of_sets(answers, truth),
        calibration_error=independent_calibration_error(probabilities, truth),
        classes=_figures(record, per_label(answers, truth)),
    )


def _classes(record: Record, counts: Array) -> list[ClassFigures]:
    return _figures(record, per_class(counts))


def _figures(record: Record, figures: Sequence[PerClass]) -> list[ClassFigures]:
    return [
        ClassFigures(label=label, precision=each.precision, recall=each.recall, f1=each.f1, queries=each.examples)
        for label, each in zip(record.classes or [], figures, strict=True)
    ]
