"""Judge clients by their own examples: their quality, and which queries are of none of their classes."""

import asyncio
from collections import OrderedDict
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from service.arrays import Array, Arrays
from service.cards import Card
from service.engine.base import StateNotCached
from service.errors import Diverged, HandfulError, TooCostly, TooFewExamples
from service.store.reading import Contents
from service.store.records import ClientKey, Record
from service.use_cases.judgement import lowest_kept
from service.use_cases.label_sets import LabelThreshold, thresholds_of
from service.use_cases.learning import Learning
from service.use_cases.predicting import Answered
from service.use_cases.quality import Judged, Quality, judge, not_judged
from service.use_cases.support_sets import prepared, same_contents

REMEMBERED = 256
"""Versions whose quality an API process remembers."""
DEFAULT_ODDS = 3.0
"""Without examples to calibrate on, an answer is unknown if its odds are less than so many times those of a guess."""

Score = Literal["probability", "familiarity"]
Source = Literal["request", "client", "model", "default"]


class Threshold(BaseModel):
    """Where `unknown` begins."""

    score: Score = Field(
        description="What is compared: the probability of the answer, or how much the input resembles the client's "
        "examples at all, for models on shared features."
    )
    at_least: float = Field(description="An answer with a lower score is `unknown`.")
    source: Source = Field(
        description="request: as sent. client: from the client's own examples, each left out once. model: there are "
        "too few of them; from validation classes, by the number of classes and examples. default: these were not "
        "measured; three times the odds of a guess."
    )


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

    async def unknown(
        self, client: ClientKey, answered: Answered, coverage: float, min_probability: float | None = None
    ) -> tuple[Threshold, list[bool]]:
        """Which queries are probably of no class of the client.

        Args:
            client: The client.
            answered: The queries and their answers.
            coverage: The share of the queries of its classes that is to be kept.
            min_probability: The threshold to use instead.
        """
        record, probability = answered.record, answered.card.probabilities(answered.answers).max(-1)
        if min_probability is not None:
            return _compared("probability", min_probability, "request", probability)
        judged = await self.judged(client, record)
        least = lowest_kept(judged.familiar, coverage)
        if least is not None and np.isfinite(judged.familiar).all():
            return _compared("familiarity", least, "client", await self._familiar(client, answered))
        least = lowest_kept(judged.probability, coverage)
        if least is not None:
            return _compared("probability", least, "client", probability)
        least = answered.card.familiar_at(*record.task, coverage)
        if least is not None:
            return _compared("familiarity", least, "model", await self._familiar(client, answered))
        return _compared("probability", default_threshold(record.task[0]), "default", probability)

    async def label_thresholds(
        self, client: ClientKey, answered: Answered, coverage: float | None, given: float | None = None
    ) -> list[LabelThreshold]:
        """From which probability on an answer has a label, for a client whose examples may have several.

        Args:
            client: The client.
            answered: The queries and their answers.
            coverage: The share of the queries of a label that shall get it; None: the default threshold.
            given: The threshold to use for all labels instead.
        """
        classes = answered.record.classes or []
        if coverage is None or given is not None:
            return thresholds_of(classes, None, given, np.zeros((0, 0)), np.zeros((0, 0)))
        judged = await self.judged(client, answered.record)
        return thresholds_of(classes, coverage, None, judged.sets, judged.truth)

    async def _familiar(self, client: ClientKey, answered: Answered) -> Array:
        record, card, queries = answered.record, answered.card, answered.queries
        try:
            return await self._engine.familiar(card.name, record.write, queries, share=client)
        except StateNotCached:
            support = await prepared(card, await same_contents(self._store, client, record))
            return await self._engine.familiar(card.name, record.write, queries, support, share=client)

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
        contents = await same_contents(self._store, client, record)
        card = self._learning.served(contents.record)
        try:
            found = await self._held_out(client, contents, card)
        except (Diverged, TooCostly, TooFewExamples) as error:
            return not_judged(contents, 0, error.detail)
        return judge(contents, card.for_task(*contents.record.task), found)

    async def _held_out(self, client: ClientKey, contents: Contents, card: Card) -> Arrays:
        record = contents.record
        if not record.ready:
            raise TooFewExamples("The client needs examples of at least two classes, or one point of a regression.")
        return await self._engine.held_out(card.name, record.write, await prepared(card, contents), share=client)


def default_threshold(ways: int) -> float:
    """The least probability of an answer of a client of which nothing more is known."""
    return DEFAULT_ODDS / (DEFAULT_ODDS + ways - 1)


def _compared(score: Score, at_least: float, source: Source, scores: Array) -> tuple[Threshold, list[bool]]:
    return Threshold(score=score, at_least=at_least, source=source), (scores < at_least).tolist()
