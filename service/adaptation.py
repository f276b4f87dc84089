"""The use cases: adapt, append, predict, forget. Knows neither HTTP nor Redis commands."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from weakref import WeakValueDictionary

from service import metrics
from service.arrays import Array, Arrays, SupportSet
from service.cards import Card
from service.clock import Clock
from service.engine.base import Engine, StateNotCached
from service.errors import Conflict, Contended
from service.inputs.decoder import Decoder
from service.inputs.kind import Columns, Decoded, InputWarning
from service.inputs.labels import Classes
from service.inputs.limits import check_count
from service.inputs.prepare import check, fit, prepare
from service.settings import Settings
from service.states import States
from service.store.idempotency import Idempotency
from service.store.records import Adapted, ClientKey, Draft, Record, RequestKey, StateKey, names_used, state_bytes
from service.store.store import Store, VersionMoved
from service.support_sets import SupportSets, joined_inputs, joined_labels

Admit = Callable[[Record, Card], None]
"""Checks a request against the client's record and the model's card before any work."""


def _anything(_: Record, __: Card) -> None:
    """Admit every request."""


TRIES = 10
"""Maximum attempts of a request while other requests adapt the same client."""


class Plan(NamedTuple):
    """An adapt that is checked and decoded."""

    card: Card
    classes: Classes | None
    support: SupportSet
    expires_at: datetime | None
    warnings: list[InputWarning]
    request: RequestKey | None
    columns: Columns | None

    @property
    def label_names(self) -> bool:
        """Whether the names of the classes may be learned from."""
        return self.support.names is not None

    def draft(self, write: str, state: Arrays, timings_ms: dict[str, float]) -> Draft:
        """The version to write."""
        card = self.card
        return Draft(
            write, card.name, card.checkpoint, self.classes, self.support, state, self.expires_at, self.label_names,
            self.request, self.warnings, timings_ms, self.columns,
        )  # fmt: skip


class Answered(NamedTuple):
    """Logits (q, ways) or values (q, outputs), and the client's record that they come from."""

    record: Record
    card: Card
    answers: Array
    warnings: list[InputWarning]
    timings_ms: dict[str, float]

    def inference(self) -> Literal["inductive", "transductive"]:
        """Whether inputs were answered one by one or together. Together needs at least as many inputs as classes."""
        enough = len(self.answers) >= len(self.record.classes or ())
        return "transductive" if self.card.transductive and enough else "inductive"


class Adaptation:
    """The use cases, for the clients of all tenants."""

    def __init__(
        self, catalogue: Mapping[str, Card], engine: Engine, store: Store, settings: Settings, decoder: Decoder
    ) -> None:
        self._catalogue, self._engine, self._store, self._settings = catalogue, engine, store, settings
        self._decoder, self._idempotency = decoder, Idempotency(store)
        self._support_sets = SupportSets(catalogue, settings)
        self._states = States(engine, store)
        self._appending: WeakValueDictionary[ClientKey, asyncio.Lock] = WeakValueDictionary()

    async def adapt(
        self,
        client: ClientKey,
        model: str | None,
        raw: Sequence[tuple[Any, Any]],
        ttl_s: int | None,
        request: RequestKey | None = None,
        label_names: bool | None = None,
    ) -> Adapted:
        """Create or replace a client's model from (input, label) pairs.

        With `request`, a retry of the same request gets the first answer. `label_names` says whether the names of the
        classes may be learned from; by default they are. Raises KeyReused and RequestInProgress.
        """
        return await self._idempotency.run(
            client.tenant, request, lambda: self._replace(client, model, raw, ttl_s, request, label_names)
        )

    async def append(
        self,
        client: ClientKey,
        model: str | None,
        raw: Sequence[tuple[Any, Any]],
        ttl_s: int | None,
        request: RequestKey | None = None,
        label_names: bool | None = None,
    ) -> Adapted:
        """Add (input, label) pairs to a client's support set and adapt to all of it. See `adapt` for `request`.

        Without `ttl_s` and `label_names`, both stay as they are. Raises UnknownClient and CorruptRecord.
        """

        async def learn() -> Adapted:
            lock = self._appending.setdefault(client, asyncio.Lock())  # one of two concurrent appends would fail
            async with lock:
                return await self._append(client, model, raw, ttl_s, request, label_names)

        return await self._idempotency.run(client.tenant, request, learn)

    async def _replace(
        self,
        client: ClientKey,
        model: str | None,
        raw: Sequence[tuple[Any, Any]],
        ttl_s: int | None,
        request: RequestKey | None,
        label_names: bool | None,
    ) -> Adapted:
        card = self._catalogue[self._settings.default_model if model is None else model]
        clock = Clock()
        self._support_sets.check_examples(card, len(raw))
        decoded = await self._decode(card, raw, client.tenant)
        clock.lap("decode")
        named = label_names is not False
        classes, support = self._support_sets.make(card, decoded.array(), [label for _, label in raw], named=named)
        columns, warnings = await fit(card.input, support.inputs)
        plan = Plan(card, classes, support, _expiry(ttl_s), decoded.warnings + warnings, request, columns)
        return await self._learn(client, plan, clock, after=None)

    async def _append(
        self,
        client: ClientKey,
        model: str | None,
        raw: Sequence[tuple[Any, Any]],
        ttl_s: int | None,
        request: RequestKey | None,
        label_names: bool | None,
    ) -> Adapted:
        for _ in range(TRIES):
            record, stored = await self._store.support(client)
            card = self._served(record)
            if model not in (None, record.model):
                raise Conflict(f"The client's model is {record.model!r}, not {model!r}. Append to that, or replace it.")
            clock = Clock()
            self._support_sets.check_examples(card, len(stored.inputs) + len(raw))
            new = await self._decode(card, raw, client.tenant)
            clock.lap("decode")
            named = record.label_names if label_names is None else label_names
            labels = joined_labels(record, stored, [label for _, label in raw])
            inputs = joined_inputs(stored, new.array())
            classes, support = self._support_sets.make(card, inputs, labels, named=named)
            expires_at = _expiry(ttl_s) or record.expires_at
            columns, warnings = await fit(card.input, support.inputs)
            try:
                plan = Plan(card, classes, support, expires_at, new.warnings + warnings, request, columns)
                return await self._learn(client, plan, clock, after=record)
            except VersionMoved:
                continue
        raise Contended("Other requests kept adapting this client. Try again.")

    async def predict(self, client: ClientKey, raw: Sequence[Any], admit: Admit = _anything) -> Answered:
        """Answer inputs from the client's state. `admit` may refuse it before any work. Raises UnknownClient."""
        check_count(len(raw), self._settings.max_queries, "inputs")
        for _ in range(TRIES):
            try:
                return await self._answer(client, raw, admit)
            except VersionMoved:
                continue
        raise Contended("Other requests kept adapting this client. Try again.")

    async def _answer(self, client: ClientKey, raw: Sequence[Any], admit: Admit) -> Answered:
        clock = Clock()
        record = await self._store.record(client)
        card = self._served(record)
        admit(record, card)
        fields = [f"inputs[{i}]" for i in range(len(raw))]
        decoded = await self._decoder.decode(card.input, raw, fields, client.tenant)
        warnings = decoded.warnings + await check(card.input, decoded.array(), record.columns)
        queries = await prepare(card.input, decoded.array(), record.columns)
        clock.lap("decode")
        try:
            answers = await self._engine.predict(card.name, record.write, queries, share=client)
            metrics.state_cache.labels("hit").inc()
        except StateNotCached:
            metrics.state_cache.labels("miss").inc()
            state = await self._states.get(StateKey(client, record.write, card.checkpoint), card, record)
            answers = await self._engine.predict(card.name, record.write, queries, state, share=client)
        clock.lap("predict")
        return Answered(record, card, answers, warnings, clock.laps_ms)

    async def show(self, client: ClientKey) -> Record:
        """The record of a client. Raises UnknownClient."""
        return await self._store.record(client)

    async def page(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients of a tenant with ids after `after`, sorted by id."""
        return await self._store.clients(tenant, after=after, limit=limit)

    async def forget(self, client: ClientKey) -> None:
        """Remove everything that is stored of a client, even if it is corrupt. Raises UnknownClient."""
        record = await self._store.forget(client)
        if record is not None:
            self._engine.evict(record.write)

    async def _learn(self, client: ClientKey, plan: Plan, clock: Clock, after: Record | None) -> Adapted:
        """Adapt to a support set and store both. With `after`, the set begins with the support set of that record."""
        card, support, write = plan.card, plan.support, secrets.token_hex(8)
        extends = after.write if after and after.columns == plan.columns else None
        prepared = support._replace(inputs=await prepare(card.input, support.inputs, plan.columns))
        state = await self._engine.adapt(card.name, write, prepared, extends=extends, share=client)
        clock.lap("adapt")
        draft = plan.draft(write, state, dict(clock.laps_ms))
        try:
            record = await self._store.commit(client, draft, after=after)
        except Exception:
            self._engine.evict(write)  # no record refers to it
            raise
        if record.replaces is not None:
            self._engine.evict(record.replaces)
        if plan.request is None:  # otherwise the answer, stored with the client, lacks this time
            clock.lap("store")
        return Adapted(
            record=record,
            state_bytes=state_bytes(state),
            names_used=names_used(state),
            warnings=plan.warnings,
            timings_ms=clock.laps_ms,
        )

    async def _decode(self, card: Card, raw: Sequence[tuple[Any, Any]], tenant: str) -> Decoded:
        fields = [f"support[{i}].input" for i in range(len(raw))]
        return await self._decoder.decode(card.input, [one for one, _ in raw], fields, tenant)

    def _served(self, record: Record) -> Card:
        if record.model not in self._catalogue:
            raise Conflict(
                f"The client's model {record.model!r} is no longer served here. Adapt the client with another model."
            )
        return self._catalogue[record.model]


def _expiry(ttl_s: int | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)
