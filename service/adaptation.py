"""The use cases: adapt, append, predict, forget. Knows neither HTTP nor Redis commands."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from service import metrics
from service.arrays import Array, Arrays, text_array
from service.cards import Card
from service.engine.base import Engine, StateNotCached, SupportSet
from service.errors import Conflict, Contended, HandfulError, TooManyWays, Unavailable, Unprocessable
from service.inputs.executor import Decoder
from service.inputs.kind import Decoded, InputWarning
from service.inputs.labels import Classes, checked_labels, class_indices, regression_targets
from service.inputs.limits import check_count
from service.settings import Settings
from service.store.records import Adapted, ClientKey, Draft, Record, RequestKey, StateKey, names_used, state_bytes
from service.store.store import AnsweredBefore, Store, VersionMoved

Admit = Callable[[Record, Card], None]
"""Checks a request against what is known of its client."""


def _anything(_: Record, __: Card) -> None:
    """Admit every request."""


TRIES = 10
"""How often a request begins anew when the client is adapted by another meanwhile."""


class Plan(NamedTuple):
    """What an adapt will learn and store."""

    card: Card
    classes: Classes | None
    support: SupportSet
    expires_at: datetime | None
    warnings: list[InputWarning]
    request: RequestKey | None

    @property
    def label_names(self) -> bool:
        """Whether the names of the classes may be learned from."""
        return self.support.names is not None

    def draft(self, write: str, state: Arrays, timings_ms: dict[str, float]) -> Draft:
        """The version to be written."""
        support = {"inputs": self.support.inputs, "targets": self.support.targets}
        card = self.card
        return Draft(
            write, card.name, card.checkpoint, self.classes, support, state, self.expires_at, self.label_names,
            self.request, self.warnings, timings_ms,
        )  # fmt: skip


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
        return await self._once(
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
        """Add (input, label) pairs to a client's support set, and adapt to all of it; `request` is as for `adapt`.

        Without `ttl_s` and `label_names`, both stay as they are. Raises UnknownClient and CorruptRecord.
        """

        async def learn() -> Adapted:
            async with self._appending.setdefault(client, asyncio.Lock()):  # else appends adapt in vain
                return await self._append(client, model, raw, ttl_s, request, label_names)

        return await self._once(client.tenant, request, learn)

    async def _once(self, tenant: str, request: RequestKey | None, learn: Callable[[], Awaitable[Adapted]]) -> Adapted:
        """Carry out a request, or return the answer that it got before."""
        if request is None:
            return await learn()
        claiming = asyncio.create_task(self._store.claim(tenant, request))
        try:
            claimed = await asyncio.shield(claiming)
            return claimed if isinstance(claimed, Adapted) else await learn()
        except AnsweredBefore:
            answer = await self._store.claim(tenant, request)
            if isinstance(answer, Adapted):
                return answer
            raise Contended("The answer to this request is no longer kept. Look at the client.") from None
        except BaseException:
            await asyncio.shield(self._release(tenant, request, claiming))
            raise

    async def _release(self, tenant: str, request: RequestKey, claiming: asyncio.Task[Adapted | str]) -> None:
        """Let a failed request be sent again at once. If this fails too, its mark expires by itself."""
        with suppress(HandfulError):
            mark = await claiming
            if isinstance(mark, str):
                await self._store.release(tenant, request, mark)

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
        self._check_examples(card, len(raw))
        decoded = await self._decode(card, raw, client.tenant)
        clock.lap("decode")
        classes, support = self._support(card, decoded.array(), [label for _, label in raw], label_names is not False)
        plan = Plan(card, classes, support, _expiry(ttl_s), decoded.warnings, request)
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
                raise Conflict(f"The client's model is {record.model!r}, not {model!r}: append to that, or replace.")
            clock = Clock()
            self._check_examples(card, len(stored["inputs"]) + len(raw))
            new = await self._decode(card, raw, client.tenant)
            clock.lap("decode")
            named = record.label_names if label_names is None else label_names
            labels = _labels(record, stored, [label for _, label in raw])
            classes, support = self._support(card, _joined(stored["inputs"], new.array()), labels, named)
            expires_at = _expiry(ttl_s) or record.expires_at
            try:
                plan = Plan(card, classes, support, expires_at, new.warnings, request)
                return await self._learn(client, plan, clock, after=record)
            except VersionMoved:
                continue
        raise Contended("Other requests kept adapting this client. Try again.")

    async def predict(self, client: ClientKey, raw: Sequence[Any], admit: Admit = _anything) -> Answered:
        """Answer inputs from the client's state. `admit` may refuse before any work. Raises UnknownClient."""
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
        queries = decoded.array()
        clock.lap("decode")
        try:
            answers = await self._engine.predict(card.name, record.write, queries, share=client)
            metrics.state_cache.labels("hit").inc()
        except StateNotCached:
            metrics.state_cache.labels("miss").inc()
            state = await self._fetch(StateKey(client, record.write, card.checkpoint), card, record)
            answers = await self._engine.predict(card.name, record.write, queries, state, share=client)
        clock.lap("predict")
        return Answered(record, card, answers, decoded.warnings, clock.laps_ms)

    async def show(self, client: ClientKey) -> Record:
        """What is known of a client. Raises UnknownClient."""
        return await self._store.record(client)

    async def page(self, tenant: str, *, after: str, limit: int) -> list[Record]:
        """Up to `limit` clients of a tenant whose ids come after `after`, by id."""
        return await self._store.clients(tenant, after=after, limit=limit)

    async def forget(self, client: ClientKey) -> None:
        """Remove all that is stored of a client, even if it cannot be read. Raises UnknownClient."""
        record = await self._store.forget(client)
        if record is not None:
            self._engine.evict(record.write)

    async def _learn(self, client: ClientKey, plan: "Plan", clock: "Clock", after: Record | None) -> Adapted:
        """Adapt to a support set, which begins with that of the record `after` if there is one, and store both."""
        card, support, write = plan.card, plan.support, secrets.token_hex(8)
        extends = after.write if after else None
        state = await self._engine.adapt(card.name, write, support, extends=extends, share=client)
        clock.lap("adapt")
        draft = plan.draft(write, state, dict(clock.laps_ms))
        try:
            record = await self._store.commit(client, draft, after=after)
        except Exception:
            self._engine.evict(write)  # no record refers to it
            raise
        if record.replaces is not None:
            self._engine.evict(record.replaces)
        if plan.request is None:  # else the answer was stored with the client, without this time
            clock.lap("store")
        return Adapted(
            record=record,
            state_bytes=state_bytes(state),
            names_used=names_used(state),
            warnings=plan.warnings,
            timings_ms=clock.laps_ms,
        )

    def _support(
        self, card: Card, inputs: Array, labels: Sequence[Any], named: bool
    ) -> tuple[Classes | None, SupportSet]:
        if card.kind == "regression":
            return None, SupportSet(inputs, regression_targets(labels, card.outputs or 1), ways=0)
        classes, targets = class_indices(labels)
        self._check_ways(card, len(classes))
        return classes, SupportSet(inputs, targets, len(classes), _names(classes, named))

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

    async def _decode(self, card: Card, raw: Sequence[tuple[Any, Any]], tenant: str) -> Decoded:
        fields = [f"support[{i}].input" for i in range(len(raw))]
        return await self._decoder.decode(card.input, [one for one, _ in raw], fields, tenant)

    async def _fetch(self, key: StateKey, card: Card, record: Record) -> Arrays:
        """The state from the store, or made again; once, however many requests wait for it."""
        if key not in self._rebuilding:
            task = asyncio.create_task(self._load_or_rebuild(key, card, record))
            self._rebuilding[key] = task
            task.add_done_callback(partial(self._rebuilt, key))
        return await asyncio.shield(self._rebuilding[key])

    def _rebuilt(self, key: StateKey, task: "asyncio.Task[Arrays]") -> None:
        del self._rebuilding[key]
        if not task.cancelled():
            task.exception()  # asyncio logs an error that nobody asks for: those who waited may have gone

    async def _load_or_rebuild(self, key: StateKey, card: Card, record: Record) -> Arrays:
        if (state := await self._store.state(key, record)) is not None:
            return state
        current, stored = await self._store.support(key.client)
        if current.write != record.write:
            raise VersionMoved
        names = _names(record.classes or [], record.label_names)
        support = SupportSet(stored["inputs"], stored["targets"], len(record.classes or ()), names)
        state = await self._engine.adapt(card.name, record.write, support, share=key.client, rebuild=True)
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


def _names(classes: Classes, named: bool) -> Array | None:
    """The names of classes that may be learned from. Integers are no names."""
    return text_array([str(each) for each in classes]) if named and classes and isinstance(classes[0], str) else None


def _expiry(ttl_s: int | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)


def _joined(stored: Array, new: Array) -> Array:
    """The stored inputs and the new ones behind them."""
    if new.shape[1:] != stored.shape[1:]:
        raise Conflict("The client's examples were made for another input size of this model: replace them all.")
    return np.concatenate([stored, new])


def _labels(record: Record, stored: Arrays, new: Sequence[Any]) -> list[Any]:
    """The labels of the stored examples, as they were sent, and the new ones behind them."""
    if not record.classes:
        return [*stored["targets"].tolist(), *new]
    checked_labels(new)
    if type(new[0]) is not type(record.classes[0]):
        kind = "strings" if isinstance(record.classes[0], str) else "integers"
        raise Unprocessable(f"support[0].label: this client's labels are {kind}.", field="support[0].label")
    return [*(record.classes[target] for target in stored["targets"]), *new]
