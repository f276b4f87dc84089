"""How good a client is, by its own examples: each is answered as if it had not been learned."""

import asyncio
from collections import OrderedDict
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from service.arrays import Array, Arrays, SupportSet
from service.cards import Card
from service.engine.base import StateNotCached
from service.errors import Contended, Diverged, HandfulError, TooCostly, TooFewExamples
from service.inputs.labels import Label
from service.inputs.prepare import prepare
from service.store.reading import Contents
from service.store.records import ClientKey, Record
from service.use_cases.judgement import (
    confusion,
    lowest_kept,
    macro_f1,
    most_confused,
    suspects,
    tally,
    wilson,
)
from service.use_cases.learning import Learning

FEW_EXAMPLES = 3
"""A class with fewer examples has too few."""
LISTED = 20
"""Confusions, suspects, duplicates and contradictions in an answer."""
REMEMBERED = 256
"""Versions whose quality an API process remembers."""

DEFAULT_ODDS = 3.0
"""Without examples to calibrate on, an answer is unknown if its odds are less than so many times those of a guess."""

ClassLabel = str | int
Score = Literal["probability", "familiarity"]
Source = Literal["request", "client", "default"]


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

    score: Score = Field(
        description="What is compared: the probability of the answer, or how much the input resembles the client's "
        "examples at all, for models on shared features."
    )
    at_least: float = Field(description="An answer with a lower score is `unknown`.")
    source: Source = Field(
        description="request: as sent. client: from the client's own examples, each left out once. default: there are "
        "too few of them; three times the odds of a guess."
    )


class Judged(NamedTuple):
    """The quality of a version, and of each judged example the largest probability (n,) and the familiarity (n,).
    Empty for regression; NaN where the model cannot tell."""

    quality: Quality
    probability: Array = np.zeros(0)
    familiar: Array = np.zeros(0)


class Asked(NamedTuple):
    """Queries (q, *input) to a version, the logits (q, ways) of their answers, and the share that is to be kept."""

    record: Record
    card: Card
    queries: Array
    answers: Array
    coverage: float


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

    async def unknown(self, client: ClientKey, asked: Asked) -> tuple[Threshold, list[bool]]:
        """Which queries are probably of no class of the client, so that a share `coverage` of the others is kept."""
        record, probability = asked.record, asked.card.probabilities(asked.answers).max(-1)
        judged = await self.judged(client, record)
        least = lowest_kept(judged.familiar, asked.coverage)
        if least is not None and np.isfinite(judged.familiar).all():
            return _compared("familiarity", least, "client", await self._familiar(client, asked))
        least = lowest_kept(judged.probability, asked.coverage)
        if least is not None:
            return _compared("probability", least, "client", probability)
        return _compared("probability", default_threshold(len(record.classes or ())), "default", probability)

    async def _familiar(self, client: ClientKey, asked: Asked) -> Array:
        record, model = asked.record, asked.card.name
        try:
            return await self._engine.familiar(model, record.write, asked.queries, share=client)
        except StateNotCached:
            support = await self._support(asked.card, await self._contents(client, record))
            return await self._engine.familiar(model, record.write, asked.queries, support, share=client)

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
        contents = await self._contents(client, record)
        card = self._learning.served(contents.record)
        try:
            found = await self._held_out(client, contents, card)
        except (Diverged, TooCostly, TooFewExamples) as error:
            return Judged(_quality(contents, None, 0, error.detail))
        return _judged(contents, card, found)

    async def _contents(self, client: ClientKey, record: Record) -> Contents:
        contents = await self._store.contents(client, record.version)
        if contents.record.write != record.write:
            raise Contended("The client was replaced in the meantime. Try again.")
        return contents

    async def _support(self, card: Card, contents: Contents) -> SupportSet:
        support = contents.support()
        return support._replace(inputs=await prepare(card.input, support.inputs, contents.record.columns))

    async def _held_out(self, client: ClientKey, contents: Contents, card: Card) -> Arrays:
        record = contents.record
        if not record.ready:
            raise TooFewExamples("The client needs examples of at least two classes, or one point of a regression.")
        return await self._engine.held_out(card.name, record.write, await self._support(card, contents), share=client)


def default_threshold(ways: int) -> float:
    """The least probability of an answer of a client of which nothing more is known."""
    return DEFAULT_ODDS / (DEFAULT_ODDS + ways - 1)


def _compared(score: Score, at_least: float, source: Source, scores: Array) -> tuple[Threshold, list[bool]]:
    return Threshold(score=score, at_least=at_least, source=source), (scores < at_least).tolist()


def _judged(contents: Contents, card: Card, found: Arrays) -> Judged:
    places = np.flatnonzero(found["fold"] >= 0)
    skipped = len(found["fold"]) - len(places)
    if not len(places):
        reason = "No example can be left out: each class has only one, or copies of one."
        return Judged(_quality(contents, None, skipped, reason))
    answers, method = found["answers"][places], _method(contents, found["fold"])
    if contents.record.classes is None:
        errors = answers - np.array(contents.targets, np.float32)[places]
        mse, mae = float(np.square(errors).mean()), float(np.abs(errors).mean())
        estimate = Estimate(method=method, judged=len(places), mse=mse, mae=mae)
        return Judged(_quality(contents, estimate, skipped))
    probabilities = card.probabilities(answers)
    estimate = _estimate(contents, probabilities, places, method)
    return Judged(_quality(contents, estimate, skipped), probabilities.max(-1), found["familiar"][places])


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
