"""How good a version of a client is, from the answers to its own examples when they are left out."""

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from service import absent
from service.arrays import UNLABELLED, Array, Arrays
from service.cards import Card
from service.inputs.labels import Label
from service.store.reading import Contents
from service.use_cases.confusion import Answers, counted
from service.use_cases.judgement import (
    confusion,
    macro_f1,
    most_confused,
    suspects,
    tally,
    wilson,
)
from service.use_cases.label_sets import DEFAULT_THRESHOLD, independent, micro_f1
from service.use_cases.label_sets import macro_f1 as macro_f1_of_sets

FEW_EXAMPLES = 3
"""A class with fewer examples has too few."""
LISTED = 20
"""Confusions, suspects, duplicates and contradictions in an answer."""
MATRIX = 100
"""Classes up to which an answer has the whole confusion matrix."""
ClassLabel = str | int


class Confusion(BaseModel):
    """Two classes that are taken for each other."""

    labels: tuple[ClassLabel, ClassLabel]
    count: int = Field(description="Examples of one that were answered with the other.")


class SuspectedError(BaseModel):
    """An example whose label is probably wrong."""

    id: str
    label: ClassLabel
    answer: ClassLabel = Field(description="The answer to the example when it is left out.")
    probability: float


class Contradiction(BaseModel):
    """One input with several labels."""

    ids: list[str]
    labels: list[Label]


class FewExamples(BaseModel):
    """A class with too few examples."""

    label: ClassLabel
    examples: int


class Estimate(BaseModel):
    """What the answers to left-out examples show."""

    method: str = Field(description="`leave-one-out`, or the number of folds, such as `10-fold`.")
    judged: int = Field(description="Examples that were left out and answered.")
    accuracy: float | None = Field(None, description="Share of right answers; null for regression.")
    interval: tuple[float, float] | None = Field(None, description="The 95 % Wilson interval of the accuracy.")
    macro_f1: float | None = Field(None, description="Mean F1 of the classes; null for regression.")
    micro_f1: Annotated[
        float | None,
        Field(
            description="F1 over all pairs of an example and a label. Absent unless an example may have several "
            "labels; then an answer is right if all its labels are.",
            exclude_if=absent.if_none,
        ),
    ] = None
    mse: float | None = Field(None, description="Mean squared error; null for classes.")
    mae: float | None = Field(None, description="Mean absolute error; null for classes.")
    confusions: list[Confusion] = Field([], description="The classes that are confused most often with each other.")
    confusion: list[Answers] | None = Field(
        None,
        description=f"All counts above 0 of the confusion matrix; null for more than {MATRIX} classes, for several "
        "labels and for regression.",
    )
    suspected_errors: list[SuspectedError] = Field(
        [], description="Examples that are confidently answered with another label."
    )


class Quality(BaseModel):
    """How good a version of a client is, by its own examples."""

    client_id: str
    model: str
    version: int
    examples: int
    not_judged: int = Field(
        0, description="Examples that are not counted: they have no label, or their class would have none left."
    )
    estimate: Estimate | None = Field(None, description="null if there is none; then `reason` says why.")
    reason: str | None = None
    duplicates: list[list[str]] = Field([], description="Ids of examples with the same input and the same label.")
    contradictions: list[Contradiction] = Field([], description="The same input with several labels.")
    few_examples: list[FewExamples] = Field([], description=f"Classes with fewer than {FEW_EXAMPLES} examples.")


class Judged(NamedTuple):
    """The quality of a version, and what is known of each judged example.

    probability  the largest probability (n,); empty for regression
    familiar     the familiarity (n,), NaN where the model cannot tell; empty for regression
    errors       the absolute errors (n, outputs) of a regression; in standard deviations, if it predicts them
    spread       the largest label less the smallest (outputs,), of all examples of a regression
    sets, truth  where an example may have several labels: the probability of each (n, ways), and whether it has it
    """

    quality: Quality
    probability: Array = np.zeros(0)
    familiar: Array = np.zeros(0)
    errors: Array = np.zeros((0, 1))
    spread: Array = np.zeros(1)
    sets: Array = np.zeros((0, 0))
    truth: Array = np.zeros((0, 0), bool)


def judge(contents: Contents, card: Card, found: Arrays) -> Judged:
    """The quality of a version, from what `Engine.held_out` found for its examples."""
    places = np.flatnonzero(found["fold"] >= 0)
    skipped = len(found["fold"]) - len(places)
    if not len(places):
        whose = "the client" if contents.record.classes is None else "each class"
        reason = f"No example can be left out: {whose} has only one, or copies of one."
        return not_judged(contents, skipped, reason)
    (answers, deviations), method = card.parted(found["answers"][places]), _method(contents, found["fold"])
    if contents.record.classes is None:
        errors = np.abs(answers - np.array(contents.targets, np.float32)[places])
        mse, mae = float(np.square(errors).mean()), float(errors.mean())
        estimate = Estimate(method=method, judged=len(places), mse=mse, mae=mae)
        scaled = errors if deviations is None else errors / deviations
        return Judged(quality_of(contents, estimate, skipped), errors=scaled, spread=spread(contents))
    if contents.record.several:
        return _judged_sets(contents, independent(answers), places, method)
    probabilities = card.probabilities(answers)
    estimate = _estimate(contents, probabilities, places, method)
    return Judged(quality_of(contents, estimate, skipped), probabilities.max(-1), found["familiar"][places])


def _judged_sets(contents: Contents, probabilities: Array, places: Array, method: str) -> Judged:
    """The same where an example may have several labels. An answer is right if all of them are."""
    skipped = len(contents.examples) - len(places)
    truth, answers = contents.support().targets[places], probabilities >= DEFAULT_THRESHOLD
    right = int((answers == truth).all(-1).sum())
    estimate = Estimate(
        method=method,
        judged=len(places),
        accuracy=right / len(places),
        interval=wilson(right, len(places)),
        macro_f1=macro_f1_of_sets(answers, truth),
        micro_f1=micro_f1(answers, truth),
    )
    return Judged(quality_of(contents, estimate, skipped), sets=probabilities, truth=truth)


def not_judged(contents: Contents, skipped: int, reason: str) -> Judged:
    """What is known of a version without an estimate."""
    return Judged(quality_of(contents, None, skipped, reason), spread=spread(contents))


def spread(contents: Contents) -> Array:
    """The largest label less the smallest, (outputs,); zeros without examples or for classes."""
    if contents.record.classes is not None or not contents.targets:
        return np.zeros(1)
    found: Array = np.ptp(np.array(contents.targets, np.float64), axis=0)
    return found


def _method(contents: Contents, fold: Array) -> str:
    """The name of the method. Identical inputs are left out together and count as one."""
    judged = {contents.examples[place].digest for place in np.flatnonzero(fold >= 0)}
    count = len(np.unique(fold[fold >= 0]))
    return "leave-one-out" if count >= len(judged) else f"{count}-fold"


def _estimate(contents: Contents, probabilities: Array, places: Array, method: str) -> Estimate:
    classes, targets = contents.record.classes or [], np.array(contents.targets)[places]
    answers = probabilities.argmax(-1)
    right, counts = int((answers == targets).sum()), confusion(answers, targets, len(classes))
    return Estimate(
        method=method,
        judged=len(places),
        accuracy=right / len(places),
        interval=wilson(right, len(places)),
        macro_f1=macro_f1(counts),
        confusions=[
            Confusion(labels=(classes[each.first], classes[each.second]), count=each.times)
            for each in most_confused(counts, LISTED)
        ],
        confusion=counted(classes, counts) if len(classes) <= MATRIX else None,
        suspected_errors=_suspected(contents, probabilities, targets, places),
    )


def _suspected(contents: Contents, probabilities: Array, targets: Array, places: Array) -> list[SuspectedError]:
    """The examples at `places` that are confidently answered with another label."""
    classes = contents.record.classes or []
    return [
        SuspectedError(
            id=contents.examples[places[each.place]].id,
            label=classes[targets[each.place]],
            answer=classes[each.answer],
            probability=each.probability,
        )
        for each in suspects(probabilities, targets, LISTED)
    ]


def quality_of(contents: Contents, estimate: Estimate | None, skipped: int, reason: str | None = None) -> Quality:
    """The quality of a version. `skipped` examples are not in the estimate; without one, there is a `reason`."""
    record, (duplicates, contradictions) = contents.record, _repeated(contents)
    return Quality(
        client_id=record.client_id, model=record.model, version=record.version, examples=record.examples,
        not_judged=skipped, estimate=estimate, reason=reason, duplicates=duplicates[:LISTED],
        contradictions=contradictions[:LISTED], few_examples=_few(contents),
    )  # fmt: skip


def _repeated(contents: Contents) -> tuple[list[list[str]], list[Contradiction]]:
    """The ids of examples with the same input: those with one label, and those with several."""
    duplicates, contradictions = list[list[str]](), list[Contradiction]()
    labels, ids = contents.labels(), [example.id for example in contents.examples]
    for places in tally([example.digest for example in contents.examples]).values():
        by_label: dict[str, list[int]] = {}
        for place in places:
            if labels[place] is not None:
                by_label.setdefault(repr(labels[place]), []).append(place)
        duplicates += [[ids[place] for place in same] for same in by_label.values() if len(same) > 1]
        if len(by_label) > 1 and contents.record.classes is not None:
            given = [labels[same[0]] for same in by_label.values()]
            contradictions.append(Contradiction(ids=[ids[place] for place in places], labels=given))
    return duplicates, contradictions


def _few(contents: Contents) -> list[FewExamples]:
    """The classes with too few examples."""
    if not (classes := contents.record.classes):
        return []
    each = [target for own in contents.targets for target in (own if isinstance(own, list) else [own])]
    each = [target for target in each if target != UNLABELLED]
    counts = np.bincount(np.array(each, np.int64), minlength=len(classes)).tolist()
    return [
        FewExamples(label=label, examples=count)
        for label, count in zip(classes, counts, strict=True)
        if count < FEW_EXAMPLES
    ]
