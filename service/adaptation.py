"""The use cases: adapt, predict, forget. Knows neither HTTP nor Redis commands."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from service import metrics
from service.arrays import Array, Arrays
from service.cards import Card
from service.engine.base import Engine, StateNotCached, SupportSet
from service.errors import Conflict, Contended, TooManyWays, Unavailable, Unprocessable
from service.inputs.executor import Decoder
from service.inputs.kind import InputWarning
from service.inputs.labels import Classes, check_labels, class_indices, regression_targets
from service.inputs.limits import check_count
from service.settings import Settings
from service.store.records import ClientKey, Draft, Record, StateKey
from service.store.store import Store, VersionMoved

TRIES = 10
"""How often a request begins anew when the client is adapted by another meanwhile."""


class Taught(NamedTuple):
    """What a request brings to learn from, decoded: `inputs` (n, ...), and labels as they were sent."""

    inputs: Array
    labels: Sequence[Any]
    warnings: list[InputWarning]


class Adapted(NamedTuple):
    """An adapt that is stored."""

    record: Record
    state_bytes: int
    warnings: list[InputWarning]
    timings_ms: dict[str, float]


class Answered(NamedTuple):
    """Logits (q, ways), or values (q, outputs), and the version of the client that gave them."""

    record: Record
    card: Card
    answers: Array
    warnings: list[InputWarning]
    timings_ms: dict[str, float]

    def inference(self) -> Literal["inductive", "transductive"]:
        """Whether the inputs were answered each by itself, or together, for which there must be as many as classes."""
        enough = len(self.answers) >= len(self.record.classes or ())
        return "transductive" if self.card.transductive and enough else "inductive"


class Adaptation:
    """What can be done for the clients of all tenants."""

    def __init__(
        self, catalogue: Mapping[str, Card], engine: Engine, store: Store, settings: Settings, decoder: Decoder
    ) -> None:
        self._catalogue, self._engine, self._store, self._settings = catalogue, engine, store, settings
        self._decoder = decoder
        self._rebuilding: dict[StateKey, asyncio.Task[Arrays]] = {}
        self._appending: WeakValueDictionary[ClientKey, asyncio.Lock] = WeakValueDictionary()

    async def adapt(
        self, client: ClientKey, model: str | None, raw: Sequence[tuple[Any, Any]], ttl_s: int | None
    ) -> Adapted:
        """Make or replace a client's model from (input, label) pairs."""
        card = self._catalogue[self._settings.default_model if model is None else model]
        clock = Clock()
        taught = await self._decode(card, raw, client.tenant)
        clock.lap("decode")
        return await self._learn(client, card, taught, _expiry(ttl_s), clock, after=None)

    async def append(
        self, client: ClientKey, model: str | None, raw: Sequence[tuple[Any, Any]], ttl_s: int | None
    ) -> Adapted:
        """Add (input, label) pairs to a client's support set, and adapt to all of it; without `ttl_s` it expires as
        before. Raises UnknownClient."""
        async with self._appending.setdefault(client, asyncio.Lock()):  # else each would adapt in vain but one
            return await self._append(client, model, raw, ttl_s)

    async def _append(
        self, client: ClientKey, model: str | None, raw: Sequence[tuple[Any, Any]], ttl_s: int | None
    ) -> Adapted:
        for _ in range(TRIES):
            record, stored = await self._store.support(client)
            card = self._served(record)
            if model not in (None, record.model):
                raise Conflict(f"The client's model is {record.model!r}, not {model!r}: append to that, or replace.")
            clock = Clock()
            new = await self._decode(card, raw, client.tenant)
            clock.lap("decode")
            expires_at = _expiry(ttl_s) or record.expires_at
            try:
                return await self._learn(client, card, _join(record, stored, new), expires_at, clock, after=record)
            except VersionMoved:
                continue
        raise Contended("The client was adapted by others all the while. Try again.")

    async def predict(self, client: ClientKey, raw: Sequence[Any]) -> Answered:
        """Answer inputs from the client's state. Raises UnknownClient."""
        check_count(len(raw), self._settings.max_queries, "inputs")
        for _ in range(TRIES):
            try:
                return await self._answer(client, raw)
            except VersionMoved:
                continue
        raise Contended("The client was adapted by others all the while. Try again.")

    async def _answer(self, client: ClientKey, raw: Sequence[Any]) -> Answered:
        clock = Clock()
        record = await self._store.record(client)
        card = self._served(record)
        fields = [f"inputs[{i}]" for i in range(len(raw))]
        decoded = await self._decoder.decode(card.input, raw, fields, client.tenant)
        queries = decoded.array()
        clock.lap("decode")
        try:
            answers = await self._engine.predict(card.name, record.write, queries)
            metrics.state_cache.labels("hit").inc()
        except StateNotCached:
            metrics.state_cache.labels("miss").inc()
            state = await self._fetch(StateKey(client, record.write, card.checkpoint), card, record)
            answers = await self._engine.predict(card.name, record.write, queries, state)
        clock.lap("predict")
        return Answered(record, card, answers, decoded.warnings, clock.laps_ms)

    async def show(self, client: ClientKey) -> Record:
        """What is known of a client. Raises UnknownClient."""
        return await self._store.record(client)

    async def page(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients of a tenant, by id, from behind `after`."""
        return await self._store.clients(tenant, after=after, limit=limit)

    async def forget(self, client: ClientKey) -> None:
        """Remove all that is stored of a client. Raises UnknownClient."""
        record = await self._store.forget(client)
        self._engine.evict(record.write)

    async def _learn(
        self,
        client: ClientKey,
        card: Card,
        taught: Taught,
        expires_at: datetime | None,
        clock: "Clock",
        after: Record | None,
    ) -> Adapted:
        self._check_examples(card, len(taught.labels))
        classes, support = self._support(card, taught)
        write = secrets.token_hex(8)
        state = await self._engine.adapt(card.name, write, support)
        clock.lap("adapt")
        stored = {"inputs": support.inputs, "targets": support.targets}
        draft = Draft(write, card.name, card.checkpoint, classes, stored, state, expires_at)
        try:
            record = await self._store.commit(client, draft, after=after)
        except Exception:
            self._engine.evict(write)  # nobody will ask for it
            raise
        if record.replaces is not None:
            self._engine.evict(record.replaces)
        clock.lap("store")
        state_bytes = sum(value.nbytes for value in state.values())
        return Adapted(record, state_bytes, taught.warnings, clock.laps_ms)

    def _support(self, card: Card, taught: Taught) -> tuple[Classes | None, SupportSet]:
        if card.kind == "regression":
            return None, SupportSet(taught.inputs, regression_targets(taught.labels, card.outputs or 1), ways=0)
        classes, targets = class_indices(taught.labels)
        self._check_ways(card, len(classes))
        return classes, SupportSet(taught.inputs, targets, ways=len(classes))

    def _check_ways(self, card: Card, ways: int) -> None:
        """Raises TooManyWays, which names the models that take so many, or the setting in the way."""
        limit = self._settings.max_ways
        if ways > limit:
            raise TooManyWays(
                f"support: {ways} classes; the limit of this service is {limit} (HANDFUL_MAX_WAYS).", field="support"
            )
        if card.max_ways is not None and ways > card.max_ways:
            others = ", ".join(other.name for other in self._like(card) if ways <= (other.max_ways or ways))
            way_out = f"Models that take {ways}: {others}." if others else "No model here takes that many."
            raise TooManyWays(
                f"support: {ways} classes; {card.name} takes at most {card.max_ways}. {way_out}", field="support"
            )

    def _like(self, card: Card) -> list[Card]:
        return [other for other in self._catalogue.values() if (other.kind, other.input) == (card.kind, card.input)]

    async def _decode(self, card: Card, raw: Sequence[tuple[Any, Any]], tenant: str) -> Taught:
        self._check_examples(card, len(raw))
        fields = [f"support[{i}].input" for i in range(len(raw))]
        decoded = await self._decoder.decode(card.input, [one for one, _ in raw], fields, tenant)
        return Taught(decoded.array(), [label for _, label in raw], decoded.warnings)

    async def _fetch(self, key: StateKey, card: Card, record: Record) -> Arrays:
        """The state from the store, or made again; once, however many requests wait for it."""
        if key not in self._rebuilding:
            task = asyncio.create_task(self._load_or_rebuild(key, card, record))
            self._rebuilding[key] = task
            task.add_done_callback(lambda _: self._rebuilding.pop(key))
        return await asyncio.shield(self._rebuilding[key])

    async def _load_or_rebuild(self, key: StateKey, card: Card, record: Record) -> Arrays:
        if (state := await self._store.state(key, record)) is not None:
            return state
        current, stored = await self._store.support(key.client)
        if current.write != record.write:
            raise VersionMoved
        support = SupportSet(stored["inputs"], stored["targets"], ways=len(record.classes or ()))
        state = await self._engine.adapt(card.name, record.write, support)
        metrics.states_rebuilt.inc()
        with suppress(Unavailable):  # a cache: the answer does not depend on it
            await self._store.save_state(key, record, state)
        return state

    def _served(self, record: Record) -> Card:
        if record.model not in self._catalogue:
            raise Conflict(f"The client's model {record.model!r} is no longer served here: adapt it with another.")
        return self._catalogue[record.model]

    def _check_examples(self, card: Card, count: int) -> None:
        check_count(count, self._settings.max_examples, "support")
        if card.max_examples is not None and count > card.max_examples:
            raise Unprocessable(
                f"support: {count} examples; {card.name} takes at most {card.max_examples}. Send fewer, or name "
                "another model.",
                field="support",
            )


class Clock:
    """Milliseconds of each stage of a request."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.laps_ms[name], self._last = round((now - self._last) * 1000, 3), now


def _expiry(ttl_s: int | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)


def _join(record: Record, stored: Arrays, new: Taught) -> Taught:
    """The stored examples and the new ones behind them, with labels as they were sent."""
    if new.inputs.shape[1:] != stored["inputs"].shape[1:]:
        raise Conflict("The client's examples were made for another input size of this model: replace them all.")
    targets = stored["targets"]
    labels = [record.classes[t] for t in targets] if record.classes else targets.tolist()
    if record.classes:
        check_labels(new.labels)
        if type(new.labels[0]) is not type(record.classes[0]):
            kind = "strings" if isinstance(record.classes[0], str) else "integers"
            raise Unprocessable(f"support[0].label: this client's labels are {kind}.", field="support[0].label")
    inputs = np.concatenate([stored["inputs"], new.inputs])
    return Taught(inputs, [*labels, *new.labels], new.warnings)
