"""Adapt: teach a client examples, in place of those that it has or beside them."""

import asyncio
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from service.cards import Card
from service.clock import Clock
from service.errors import Conflict, UnknownClient, UnknownPrediction, Unprocessable
from service.inputs.decoder import Decoder
from service.inputs.kind import Decoded
from service.inputs.sent import place_of
from service.store.idempotency import Idempotency
from service.store.reading import Contents
from service.store.records import Adapted, ClientKey, Record, RequestKey
from service.store.store import VersionMoved
from service.use_cases.gathering import NOTHING, Gathered, Given, gather, known_of
from service.use_cases.learning import Learning, Lesson, check_expected, retried
from service.use_cases.support_sets import check_unlabelled, checked_new_labels


class Teaching(NamedTuple):
    """A request to adapt or to append.

    model        the name of a model; None: the default one, or that of the client
    given        the examples
    ttl_s        seconds until the client is forgotten
    request      the idempotency key: a retry of the same request gets the first answer
    label_names  whether the names of the classes may be learned from; None: as before, or else they are
    twice        whether an example that the client has is stored again
    expected     entity tags of versions that may be changed; None: any
    keep_queries_s  seconds to keep the client's queries for feedback; None: as before
    prediction   the id of a prediction whose kept query is the input of the only example
    keep         the most examples of each class, 0 for any number; None: as before
    half_life_s  the seconds in which an example loses half of its weight, 0 for never; None: as before
    unlabelled   whether the examples have no labels
    """

    model: str | None
    given: Sequence[Given]
    ttl_s: int | None = None
    request: RequestKey | None = None
    label_names: bool | None = None
    twice: bool = False
    expected: Collection[str] | None = None
    keep_queries_s: int | None = None
    prediction: str | None = None
    keep: int | None = None
    half_life_s: float | None = None
    unlabelled: bool = False

    def places(self, inside: str = "") -> list[str]:
        """The place of each example in the request; of one in JSON that of a field `inside` it."""
        place = "inputs[{}]" if self.unlabelled else "support[{}]" + inside
        return [place_of(one.input, place.format(i)) for i, one in enumerate(self.given)]


class Adapting:
    """The use cases, for the clients of all tenants."""

    def __init__(self, learning: Learning, decoder: Decoder) -> None:
        self._learning, self._decoder = learning, decoder
        self._catalogue, self._settings, self._store = learning.catalogue, learning.settings, learning.store
        self._idempotency = Idempotency(learning.store)
        self._appending: WeakValueDictionary[ClientKey, asyncio.Lock] = WeakValueDictionary()

    async def adapt(self, client: ClientKey, teaching: Teaching) -> Adapted:
        """Create a client's model, or replace it and all its examples.

        Raises:
            KeyReused, RequestInProgress: Of the idempotency key.
            PreconditionFailed: The client is not as expected.
        """

        self._check_kept(teaching)

        async def learn() -> Adapted:
            return await retried(lambda: self._replace(client, teaching))

        return await self._idempotency.run(client, teaching.request, learn)

    async def append(self, client: ClientKey, teaching: Teaching) -> Adapted:
        """Add examples to those of a client, and adapt to all of them. Raises UnknownClient, CorruptRecord,
        UnknownPrediction, and what `adapt` raises."""
        self._check_kept(teaching)

        async def learn() -> Adapted:
            lock = self._appending.setdefault(client, asyncio.Lock())  # one of two concurrent appends would fail
            async with lock:
                return await retried(lambda: self._append(client, teaching))

        return await self._idempotency.run(client, teaching.request, learn)

    async def _replace(self, client: ClientKey, teaching: Teaching) -> Adapted:
        after = await self._learning.expected(client, teaching.expected)
        card = self._catalogue[self._settings.default_model if teaching.model is None else teaching.model]
        clock = Clock()
        gathered = await self._gathered(client, card, teaching, NOTHING, None)
        clock.lap("decode")
        named = teaching.label_names is not False
        lesson = _lesson(card, gathered, teaching, named, _expiry(teaching.ttl_s), "replace")
        lesson = await self._learning.bounded(_with_settings(lesson, teaching))
        return await self._learning.learn(client, lesson, clock, after=after)

    async def _append(self, client: ClientKey, teaching: Teaching) -> Adapted:
        contents = await self._contents(client, teaching)
        record = contents.record
        check_expected(record, teaching.expected)
        card = self._learning.served(record)
        if teaching.model not in (None, record.model):
            raise Conflict(
                f"The client's model is {record.model!r}, not {teaching.model!r}. Append to that, or replace it."
            )
        clock = Clock()
        gathered = await self._gathered(client, card, teaching, known_of(contents), record)
        clock.lap("decode")
        named = record.label_names if teaching.label_names is None else teaching.label_names
        expires_at = _expiry(teaching.ttl_s) or record.expires_at
        change = "append" if teaching.prediction is None else "feedback"
        change = "unlabelled" if teaching.unlabelled else change
        lesson = _lesson(card, gathered, teaching, named, expires_at, change).of(record)
        lesson = await self._learning.bounded(_with_settings(lesson, teaching), len(contents.examples))
        return await self._learning.learn(client, lesson, clock, after=record)

    async def _contents(self, client: ClientKey, teaching: Teaching) -> Contents:
        """The examples to append to. Raises UnknownClient."""
        try:
            return await self._store.contents(client)
        except UnknownClient:
            if teaching.unlabelled or teaching.prediction is not None:
                raise
            detail = f"No client {client.client_id!r} exists to append to. POST its first examples without `mode`."
            raise UnknownClient(detail) from None

    async def _gathered(
        self, client: ClientKey, card: Card, teaching: Teaching, known: Gathered, record: Record | None
    ) -> Gathered:
        """The examples of a client after a request."""
        given = teaching.given
        keeps = teaching.keep or (record.keep if record is not None and teaching.keep is None else 0)
        self._learning.support_sets.check_new(card, len(known.examples), len(given), bounded=keeps > 0)
        labels = self._labels(card, teaching, record)
        if not given:
            return known
        decoded = await self._decoded(client, card, teaching, record)
        classes, ids = card.kind == "classification", [one.id for one in given]
        twice, places = teaching.twice, teaching.places()
        gathered = await gather(
            card.input, known, decoded.array(), labels, ids, classes=classes, twice=twice, places=places
        )
        return gathered._replace(warnings=decoded.warnings + gathered.warnings)

    @staticmethod
    def _labels(card: Card, teaching: Teaching, record: Record | None) -> list[Any]:
        """The labels of a request in their normal form."""
        if teaching.unlabelled:
            check_unlabelled(card, several=record is not None and record.several)
            return [None] * len(teaching.given)
        try:
            return checked_new_labels(card, record, [one.label for one in teaching.given])
        except Unprocessable as error:
            raise _placed(error, teaching.places()) from None

    async def _decoded(self, client: ClientKey, card: Card, teaching: Teaching, record: Record | None) -> Decoded:
        """The inputs of a request, or the kept query that it names. Raises UnknownPrediction."""
        if teaching.prediction is None:
            raw = [one.input for one in teaching.given]
            return await self._decoder.decode(card.input, raw, teaching.places(".input"), client.tenant)
        if (query := await self._store.query(client, teaching.prediction)) is None:
            if record is None or (await self._store.record(client)).write != record.write:
                raise VersionMoved  # the query may have gone with the client, which is another answer
            raise UnknownPrediction(
                f"The query of prediction {teaching.prediction!r} is not kept: its time is over, newer queries took "
                "its place, or the client does not keep queries (`keep_queries_s` of /adapt). Send its input to /adapt "
                'with `"mode": "append"`.',
                field="id",
            )
        return Decoded(query, [])

    def _check_kept(self, teaching: Teaching) -> None:
        """Refuse to keep queries for longer than the service may. Raises Unprocessable."""
        most = self._settings.keep_queries_s
        if (teaching.keep_queries_s or 0) > most:
            raise Unprocessable(
                f"keep_queries_s: {teaching.keep_queries_s} s; this service keeps queries for at most {most} s "
                "(HANDFUL_KEEP_QUERIES_S).",
                field="keep_queries_s",
            )


def _placed(error: Unprocessable, places: Sequence[str]) -> Unprocessable:
    """The error on a label, with the place of its example where it was sent outside of JSON."""
    found = re.match(r"support\[(\d+)\]", error.field or "")
    if found is None or (place := places[int(found[1])]) == found[0]:
        return error
    return type(error)(f"{place}, label: {error.detail.partition(': ')[2]}", field=place)


def _lesson(
    card: Card, gathered: Gathered, teaching: Teaching, named: bool, expires_at: datetime | None, change: str
) -> Lesson:
    return Lesson(
        card, gathered.examples, gathered.labels, gathered.form, named, expires_at, change,
        ids=gathered.ids, warnings=gathered.warnings, request=teaching.request, keep_queries_s=teaching.keep_queries_s,
        fields=teaching.places(".input"),
    )  # fmt: skip


def _with_settings(lesson: Lesson, teaching: Teaching) -> Lesson:
    """The lesson with the `keep` and the `half_life_s` that the request names."""
    if teaching.keep is not None:
        lesson = lesson._replace(keep=teaching.keep)
    return lesson if teaching.half_life_s is None else lesson._replace(half_life_s=teaching.half_life_s)


def _expiry(ttl_s: int | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)
