"""Adapts a client to a list of examples, and stores both as its next version."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from service.arrays import Array, Arrays, SupportSet
from service.cards import Card
from service.clock import Clock
from service.engine.base import Engine
from service.errors import Conflict, Contended, Diverged, PreconditionFailed, UnknownClient, Unprocessable
from service.executor import BYTES_PER_EXAMPLE, Executor
from service.inputs.kind import InputWarning
from service.inputs.label_sets import index_lists
from service.inputs.prepare import fit, prepare
from service.settings import Settings
from service.store.ages import weights_by_age
from service.store.examples import Example, Form, from_raw
from service.store.records import MIN_WAYS, Adapted, ClientKey, Draft, Record, RequestKey
from service.store.store import Store, VersionMoved
from service.use_cases.keeping import places_kept
from service.use_cases.support_sets import SupportSets, check_unlabelled, several_labels

Result = TypeVar("Result")

THREADS = Executor("keep")

TRIES = 10
"""Maximum attempts of a request while other requests change the same client."""


class Lesson(NamedTuple):
    """What a client shall learn: a model, and examples with their labels.

    form         the form of the inputs; None without examples
    change       what makes this version, such as `append`
    ids          the ids of the examples of the request
    fields       their places in it
    removed      examples that this version removes
    keep_history whether earlier versions keep them
    accepted     whether the examples were accepted before, so that they are never too costly
    keep_queries_s  seconds to keep the client's queries; None: as before
    extends      a version whose features of the first examples are the same, if they are still cached
    kept         the places of these examples in it; None: all of them, in their order
    keep         the most examples of each class; 0: any number
    dropped      the ids of examples that were over that
    half_life_s  the seconds in which an example loses half of its weight; 0: it never does
    """

    card: Card
    examples: Sequence[Example]
    labels: Sequence[Any]
    form: Form | None
    named: bool
    expires_at: datetime | None
    change: str
    ids: Sequence[str] = ()
    warnings: Sequence[InputWarning] = ()
    request: RequestKey | None = None
    removed: Sequence[Example] = ()
    keep_history: bool = False
    keep_queries_s: int | None = None
    accepted: bool = False
    extends: Record | None = None
    kept: Sequence[int] | None = None
    keep: int = 0
    dropped: Sequence[str] = ()
    half_life_s: float = 0
    fields: Sequence[str] = ()

    def places(self) -> list[str]:
        """The place of each example in the request, or its id."""
        sent = dict(zip(self.ids, self.fields, strict=False))
        return [sent.get(each.id, f"example {each.id!r}") for each in self.examples]

    def of(self, record: Record) -> "Lesson":
        """The lesson as a change of a version, whose `keep` and `half_life_s` stay."""
        return self._replace(extends=record, keep=record.keep, half_life_s=record.half_life_s)

    def inputs(self) -> Array | None:
        """The inputs (n, *input)."""
        if self.form is None or not self.examples:
            return None
        return from_raw([example.raw for example in self.examples], self.form)


class Learning:
    """Carries lessons out."""

    def __init__(self, catalogue: Mapping[str, Card], engine: Engine, store: Store, settings: Settings) -> None:
        self.catalogue, self.engine, self.store, self.settings = catalogue, engine, store, settings
        self.support_sets = SupportSets(catalogue, settings)

    def served(self, record: Record) -> Card:
        """The card of a client's model. Raises Conflict."""
        if record.model not in self.catalogue:
            raise Conflict(
                f"The client's model {record.model!r} is no longer served here. Adapt the client with another model, "
                f"or move it to one of the same inputs: POST /clients/{record.client_id}/model."
            )
        return self.catalogue[record.model]

    async def expected(self, client: ClientKey, tags: Collection[str] | None) -> Record | None:
        """The record of the client that a request expects; None if it expects nothing. Raises PreconditionFailed."""
        if tags is None:
            return None
        try:
            record = await self.store.record(client)
        except UnknownClient as error:
            raise PreconditionFailed(error.detail, field="If-Match") from None
        check_expected(record, tags)
        return record

    async def bounded(self, lesson: Lesson, known: int = 0) -> Lesson:
        """The lesson with at most `keep` examples of each class; the ids of the others are `dropped`.

        Args:
            lesson: What the client shall learn.
            known: The number of its first examples that the version `extends` has.

        Raises:
            Unprocessable: Those that stay are too many.
        """
        if not lesson.keep:
            return lesson
        found = await THREADS.run(lambda: _bounded(lesson, known), BYTES_PER_EXAMPLE * len(lesson.examples))
        self.support_sets.check_examples(lesson.card, len(found.examples))
        return found

    async def learn(
        self, client: ClientKey, lesson: Lesson, clock: Clock, *, after: Record | None = None, new: bool = False
    ) -> Adapted:
        """Adapt and store the next version.

        Args:
            client: The client.
            lesson: What it shall learn.
            clock: Measures the stages of the request.
            after: The version that the lesson is made from; None: any.
            new: The client must not exist.

        Raises:
            VersionMoved, AlreadyThere, AnsweredBefore: As `Store.commit`.
            QuotaExceeded, StorageExceeded: The tenant may not store so much.
        """
        check_weights(lesson)
        size = sum(len(example.raw) for example in lesson.examples)
        await self.store.usage.check_room(client, len(lesson.examples), size)
        draft = await self._draft(client, lesson, secrets.token_hex(8), clock)
        try:
            record = await self.store.commit(client, draft, after=after, new=new)
        except Exception:
            self.engine.evict(draft.write)  # no record refers to it
            raise
        if record.replaces is not None:
            self.engine.evict(record.replaces)
        if lesson.request is None:  # otherwise the answer, stored with the client, lacks this time
            clock.lap("store")
        return draft.answer().model_copy(update={"timings_ms": clock.laps_ms}).of(record)

    async def _draft(self, client: ClientKey, lesson: Lesson, write: str, clock: Clock) -> Draft:
        card, inputs = lesson.card, lesson.inputs()
        classes, support = self.support_sets.make(card, inputs, lesson.labels, named=lesson.named)
        several = card.kind == "classification" and several_labels(lesson.labels)
        targets = index_lists(support.targets) if several else support.targets.tolist()
        if lesson.half_life_s:
            weights = weights_by_age(lesson.examples, targets, lesson.half_life_s, ways=support.ways)
            support = support._replace(weights=weights)
        columns, warnings = (None, []) if inputs is None else await fit(card.input, inputs, lesson.places())
        state: Arrays | None = None
        if lesson.examples and (classes is None or len(classes) >= (1 if support.several else MIN_WAYS)):
            state = await self._adapt(client, lesson, write, columns, support)
        clock.lap("adapt")
        return Draft(
            write, card.name, card.checkpoint, card.input.model_dump(mode="json"), classes, lesson.examples,
            targets, lesson.form, state, lesson.expires_at, lesson.named, lesson.request, lesson.ids,
            [*lesson.warnings, *warnings], dict(clock.laps_ms), columns, lesson.change, lesson.removed,
            lesson.keep_history, several, lesson.keep_queries_s, lesson.keep, lesson.dropped,
            lesson.half_life_s,
        )  # fmt: skip

    async def _adapt(
        self, client: ClientKey, lesson: Lesson, write: str, columns: list[Any] | None, support: SupportSet
    ) -> Arrays | None:
        """The state. None if what remains after a removal diverges: the removal counts more than the state."""
        card, before = lesson.card, lesson.extends
        same = before is not None and before.model == card.name and before.columns == columns
        prepared = support._replace(inputs=await prepare(card.input, support.inputs, columns))
        try:
            return await self.engine.adapt(
                card.name,
                write,
                prepared,
                extends=before.write if before is not None and same else None,
                kept=lesson.kept,
                share=client,
                rebuild=lesson.accepted,
            )
        except Diverged:
            if lesson.removed:
                return None
            raise


def _bounded(lesson: Lesson, known: int) -> Lesson:
    classes = lesson.card.kind == "classification"
    latest = lesson.half_life_s > 0
    places = places_kept(lesson.examples, lesson.labels, lesson.keep, classes=classes, latest=latest)
    stay = set(places)
    return lesson._replace(
        examples=[lesson.examples[place] for place in places],
        labels=[lesson.labels[place] for place in places],
        kept=[place for place in places if place < known],
        dropped=[example.id for place, example in enumerate(lesson.examples) if place not in stay],
    )


def check_weights(lesson: Lesson) -> None:
    """Refuse a half-life, or examples without a label, where examples cannot count for less. Raises Unprocessable."""
    if lesson.card.kind == "classification" and None in lesson.labels:
        check_unlabelled(lesson.card, several=several_labels(lesson.labels))
    if lesson.half_life_s and not lesson.card.weighted_examples:
        raise Unprocessable(
            f"half_life_s: all examples count the same for {lesson.card.name}. Models with `weighted_examples` in GET "
            "/models take it; 0 turns it off.",
            field="half_life_s",
        )
    if lesson.half_life_s and lesson.card.kind == "classification" and several_labels(lesson.labels):
        raise Unprocessable(
            "half_life_s: examples with several labels all count the same. Send 0, or one `label` for each.",
            field="half_life_s",
        )


def check_expected(record: Record, expected: Collection[str] | None) -> None:
    """Refuse a change of another version than those expected, by their entity tags. Raises PreconditionFailed."""
    if expected is not None and not {"*", record.etag} & set(expected):
        raise PreconditionFailed(
            f"The client is at version {record.version}, which `If-Match` does not name. GET the client, and decide "
            "again.",
            field="If-Match",
        )


async def retried(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """The result of an attempt, again while other requests change the client in the middle of it. Raises Contended."""
    for _ in range(TRIES):
        try:
            return await attempt()
        except VersionMoved:
            continue
    raise Contended("Other requests kept adapting this client. Try again.")
