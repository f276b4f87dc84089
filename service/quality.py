"""How good a client is, by its own examples: each is answered as if it had not been learned."""

import asyncio
from collections import OrderedDict
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from service.arrays import Array, Arrays
from service.cards import Card
from service.errors import Contended, Diverged, HandfulError, TooCostly, TooFewExamples
from service.inputs.labels import Label
from service.inputs.prepare import prepare
from service.judgement import (
    confusion,
    lowest_kept,
    macro_f1,
    most_confused,
    suspects,
    tally,
    wilson,
)
from service.learning import Learning
from service.store.reading import Contents
from service.store.records import ClientKey, Record

FEW_EXAMPLES = 3
"""A class with fewer examples has too few."""
LISTED = 20
"""Confusions, suspects, duplicates and contradictions in an answer."""
REMEMBERED = 256
"""Versions whose quality an API process remembers."""

DEFAULT_FACTOR = 2.0
"""Without examples to calibrate on, an answer is unknown if it is less probable than so many times a guess."""

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
    mse: float | None = Field(None, description="Mean squared error; null for classes.")
    mae: float | None = Field(None, description="Mean absolute error; null for classes.")
    confusions: list[Confusion] = Field([], description="The classes that are confused most often with each other.")
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
        0, description="Examples that are not counted, since their class would have no example left."
    )
    estimate: Estimate | None = Field(None, description="null if there is none; then `reason` says why.")
    reason: str | None = None
    duplicates: list[list[str]] = Field([], description="Ids of examples with the same input and the same label.")
    contradictions: list[Contradiction] = Field([], description="The same input with several labels.")
    few_examples: list[FewExamples] = Field([], description=f"Classes with fewer than {FEW_EXAMPLES} examples.")


class Threshold(BaseModel):
    """Where `unknown` begins."""

    min_probability: float = Field(description="An answer that is less probable is `unknown`.")
    source: Literal["request", "client", "default"] = Field(
        description="request: as sent. client: from the client's own examples, each left out once. default: there are "
        "too few of them; twice the probability of a guess."
    )


class Judged(NamedTuple):
    """The quality of a version, and the largest probability (n,) of each judged example; empty for regression."""

    quality: Quality
    confidence: Array


class Judging:
    """The use case, for the clients of all tenants. A version never changes, so its quality is remembered."""

    def __init__(self, learning: Learning) -> None:
        self._learning, self._store, self._engine = learning, learning.store, learning.engine
        self._known: OrderedDict[str, Judged] = OrderedDict()
        self._running: dict[str, asyncio.Task[Judged]] = {}

    async def quality(self, client: ClientKey, version: int | None = None) -> Quality:
        """The quality of a version, by default the current one.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord, Conflict: There is nothing to judge.
        """
        _, record = await self._store.version(client, version)
        return (await self.judged(client, record)).quality

    async def threshold(self, client: ClientKey, record: Record, coverage: float) -> Threshold:
        """The threshold under which about a share `coverage` of the queries of the client's classes are answered."""
        found = lowest_kept((await self.judged(client, record)).confidence, coverage)
        if found is not None:
            return Threshold(min_probability=found, source="client")
        return Threshold(
            min_probability=DEFAULT_FACTOR / max(DEFAULT_FACTOR, len(record.classes or ())), source="default"
        )

    async def after_adapt(self, client: ClientKey, record: Record) -> Quality:
        """The quality of a version that was just stored. The adapt is done, so a failure here is only reported."""
        try:
            return (await self.judged(client, record)).quality
        except HandfulError as error:
            known = {name: getattr(record, name) for name in ("client_id", "model", "version", "examples")}
            return Quality(**known, reason=error.detail)

    async def judged(self, client: ClientKey, record: Record) -> Judged:
        """The quality of a version. Concurrent requests share the work."""
        if (known := self._known.get(record.write)) is not None:
            self._known.move_to_end(record.write)
            return known
        task = self._running.get(record.write)
        if task is None:
            task = self._running[record.write] = asyncio.create_task(self._judge(client, record))
            task.add_done_callback(lambda done: self._done(record.write, done))
        return await asyncio.shield(task)

    def _done(self, write: str, task: "asyncio.Task[Judged]") -> None:
        del self._running[write]
        if task.cancelled() or task.exception() is not None:
            return
        self._known[write] = task.result()
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _judge(self, client: ClientKey, record: Record) -> Judged:
        contents = await self._store.contents(client, record.version)
        if contents.record.write != record.write:
            raise Contended("The client was replaced in the meantime. Try again.")
        card = self._learning.served(contents.record)
        try:
            found = await self._held_out(client, contents, card)
        except (Diverged, TooCostly, TooFewExamples) as error:
            return Judged(_quality(contents, None, 0, error.detail), np.zeros(0))
        return _judged(contents, card, found)

    async def _held_out(self, client: ClientKey, contents: Contents, card: Card) -> Arrays:
        record = contents.record
        if not record.ready:
            raise TooFewExamples("The client needs examples of at least two classes, or one point of a regression.")
        support = contents.support()
        prepared = support._replace(inputs=await prepare(card.input, support.inputs, record.columns))
        return await self._engine.held_out(card.name, record.write, prepared, share=client)


def _judged(contents: Contents, card: Card, found: Arrays) -> Judged:
    places = np.flatnonzero(found["fold"] >= 0)
    skipped = len(found["fold"]) - len(places)
    if not len(places):
        reason = "No example can be left out: each class has only one, or copies of one."
        return Judged(_quality(contents, None, skipped, reason), np.zeros(0))
    answers, method = found["answers"][places], _method(contents, found["fold"])
    if contents.record.classes is None:
        errors = answers - np.array(contents.targets, np.float32)[places]
        mse, mae = float(np.square(errors).mean()), float(np.abs(errors).mean())
        estimate = Estimate(method=method, judged=len(places), mse=mse, mae=mae)
        return Judged(_quality(contents, estimate, skipped), np.zeros(0))
    probabilities = card.probabilities(answers)
    estimate = _estimate(contents, probabilities, places, method)
    return Judged(_quality(contents, estimate, skipped), probabilities.max(-1))


def _method(contents: Contents, fold: Array) -> str:
    """The name of the method. Identical inputs are left out together and count as one."""
    judged = {contents.examples[place].digest for place in np.flatnonzero(fold >= 0)}
    count = len(np.unique(fold[fold >= 0]))
    return "leave-one-out" if count >= len(judged) else f"{count}-fold"


def _estimate(contents: Contents, probabilities: Array, places: Array, method: str) -> Estimate:
    classes, targets = contents.record.classes or [], np.array(contents.targets)[places]
    answers = probabilities.argmax(-1)
    right, counts = int((answers == targets).sum()), confusion(answers, targets, len(classes))
    wrong = suspects(probabilities, targets, LISTED)
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
        suspected_errors=[
            SuspectedError(
                id=contents.examples[places[each.place]].id,
                label=classes[targets[each.place]],
                answer=classes[each.answer],
                probability=each.probability,
            )
            for each in wrong
        ],
    )


def _quality(contents: Contents, estimate: Estimate | None, skipped: int, reason: str | None = None) -> Quality:
    record, duplicates, contradictions = contents.record, list[list[str]](), list[Contradiction]()
    labels, ids = contents.labels(), [example.id for example in contents.examples]
    for places in tally([example.digest for example in contents.examples]).values():
        by_label: dict[str, list[int]] = {}
        for place in places:
            by_label.setdefault(repr(labels[place]), []).append(place)
        duplicates += [[ids[place] for place in same] for same in by_label.values() if len(same) > 1]
        if len(by_label) > 1 and record.classes is not None:
            given = [labels[same[0]] for same in by_label.values()]
            contradictions.append(Contradiction(ids=[ids[place] for place in places], labels=given))
    counts: Array = np.zeros(0, np.int64)
    if record.classes:
        counts = np.bincount(contents.targets, minlength=len(record.classes))
    few = [
        FewExamples(label=label, examples=int(count))
        for label, count in zip(record.classes or [], counts, strict=True)
        if count < FEW_EXAMPLES
    ]
    return Quality(
        client_id=record.client_id, model=record.model, version=record.version, examples=record.examples,
        not_judged=skipped, estimate=estimate, reason=reason, duplicates=duplicates[:LISTED],
        contradictions=contradictions[:LISTED], few_examples=few,
    )  # fmt: skip
