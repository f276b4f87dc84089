"""Predict: answer inputs from a client's state, which is read, or made again, where the worker does not have it."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from service import metrics
from service.arrays import Array
from service.cards import Card
from service.clock import Clock
from service.engine.base import StateNotCached
from service.errors import TooFewExamples
from service.inputs.decoder import Decoder
from service.inputs.kind import InputWarning
from service.inputs.limits import check_count
from service.inputs.prepare import check, prepare
from service.inputs.sent import place_of
from service.store.records import MIN_WAYS, ClientKey, Record, StateKey
from service.use_cases.learning import Learning, retried
from service.use_cases.states import States

Admit = Callable[[Record, Card], None]
"""Checks a request against the client's record and the model's card before any work."""


def anything(_: Record, __: Card) -> None:
    """Admit every request."""


class Answered(NamedTuple):
    """Logits (q, ways) or values (q, outputs) of queries (q, *input), and the client's record that they come from,
    which may be that of a past version.

    `deviations` are the standard deviations (q, outputs) of values, where the model predicts them. `decoded` are the
    queries before they were prepared. `current` is the client's current record.
    """

    record: Record
    card: Card
    queries: Array
    answers: Array
    warnings: list[InputWarning]
    timings_ms: dict[str, float]
    decoded: Array
    current: Record
    past: bool = False
    deviations: Array | None = None

    def inference(self) -> Literal["inductive", "transductive"]:
        """Whether inputs were answered one by one or together. Together needs at least as many inputs as classes."""
        enough = len(self.answers) >= len(self.record.classes or ())
        return "transductive" if self.card.transductive and enough else "inductive"


class Predicting:
    """The use case, for the clients of all tenants."""

    def __init__(self, learning: Learning, decoder: Decoder) -> None:
        self._learning, self._decoder = learning, decoder
        self._engine, self._store = learning.engine, learning.store
        self._states = States(learning.engine, learning.store)

    async def asked(self, client: ClientKey, version: int | None = None) -> tuple[Record, Card]:
        """The version that a predict would ask now. Raises what `predict` raises if there is nothing to ask."""
        _, record = await self._store.version(client, version)
        card = self._learning.served(record)
        check_ready(record)
        return record, card

    async def predict(
        self,
        client: ClientKey,
        raw: Sequence[Any],
        admit: Admit = anything,
        version: int | None = None,
        field: str = "inputs[{}]",
    ) -> Answered:
        """Answer inputs from a client's state, by default that of the current version.

        Args:
            client: The client.
            raw: The inputs as they were sent.
            admit: May refuse the request before any work.
            version: The version to ask.
            field: The place of an input in the request, by its number.

        Raises:
            UnknownClient, UnknownVersion, VersionGone: There is nothing to ask.
            TooFewExamples: The version has too few examples.
        """
        check_count(len(raw), self._learning.settings.max_queries, field.partition("[")[0])
        fields = [place_of(one, field.format(i)) for i, one in enumerate(raw)]
        return await retried(lambda: self._answer(client, raw, fields, admit, version))

    async def _answer(
        self, client: ClientKey, raw: Sequence[Any], fields: Sequence[str], admit: Admit, version: int | None
    ) -> Answered:
        clock = Clock()
        current, record = await self._store.version(client, version)
        card = self._learning.served(record)
        check_ready(record)
        admit(record, card)
        decoded = await self._decoder.decode(card.input, raw, fields, client.tenant)
        warnings = decoded.warnings + await check(card.input, decoded.array(), record.columns, fields)
        queries = await prepare(card.input, decoded.array(), record.columns)
        clock.lap("decode")
        past = record.write != current.write
        found = await self._ask(client, record, card, queries, past=past)
        answers, deviations = card.parted(found)
        clock.lap("predict")
        calibrated = card.for_task(*record.task)
        laps = clock.laps_ms
        asked = record, calibrated, queries, answers, warnings, laps, decoded.array(), current
        return Answered(*asked, past, deviations)

    async def ask_again(self, client: ClientKey, answered: Answered, queries: Array) -> Array:
        """The answers to other queries (q, *input), as the model takes them, from the same state."""
        found = await self._ask(client, answered.record, answered.card, queries, past=answered.past)
        return answered.card.parted(found)[0]

    async def _ask(self, client: ClientKey, record: Record, card: Card, queries: Array, *, past: bool) -> Array:
        try:
            answers = await self._engine.predict(card.name, record.write, queries, share=client)
            metrics.state_cache.labels("hit").inc()
        except StateNotCached:
            metrics.state_cache.labels("miss").inc()
            key = StateKey(client, record.write, card.checkpoint)
            state = await self._states.get(key, card, record, past=past)
            answers = await self._engine.predict(card.name, record.write, queries, state, share=client)
        return answers


def check_ready(record: Record) -> None:
    """Raise TooFewExamples. It says what is missing."""
    if record.ready:
        return
    of_classes = "an example with a label" if record.several else f"examples of at least {MIN_WAYS} classes"
    missing = "examples" if record.classes is None else of_classes
    there = "none" if not record.classes else f"only examples of {record.classes[0]!r}"
    raise TooFewExamples(
        f"The client needs {missing} before it can predict; there are {there}. POST more to /adapt with "
        '`"mode": "append"`.'
    )
