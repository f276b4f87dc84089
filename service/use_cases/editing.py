"""The use cases on the examples of a client: list, relabel, remove, rename. Knows neither HTTP nor Redis commands."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from service.cards import Card
from service.clock import Clock
from service.errors import Conflict, UnknownClass, UnknownExample, Unprocessable
from service.executor import Executor
from service.store.examples import Example
from service.store.reading import Contents
from service.store.records import Adapted, ClientKey, Record
from service.use_cases.learning import Learning, Lesson, check_expected, retried
from service.use_cases.support_sets import checked_new_labels

THREADS = Executor("show")


class Edit(NamedTuple):
    """The places of the examples that stay, and their labels."""

    places: Sequence[int]
    labels: list[Any]


Editor = Callable[[Contents, Card], Edit]
"""Edits the examples of a client. May raise."""


class Shown(NamedTuple):
    """An example as clients see it. `input` is None unless it was asked for."""

    example: Example
    label: Any
    input: Any = None


class Page(NamedTuple):
    """Some examples of a version; `cursor` is that of the next page, None at the end."""

    record: Record
    examples: list[Shown]
    cursor: int | None


class Wanted(NamedTuple):
    """The examples of a page: those after the row `after`, with one label if it is given."""

    after: int = -1
    limit: int = 100
    label: str | None = None
    version: int | None = None
    inputs: bool = False


class Editing:
    """The use cases, for the clients of all tenants."""

    def __init__(self, learning: Learning) -> None:
        self._learning, self._store, self._engine = learning, learning.store, learning.engine

    async def page(self, client: ClientKey, wanted: Wanted) -> Page:
        """Some examples, in the order in which they were stored.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: There is nothing to read.
            UnknownClass: The client has no class with the label.
        """
        after = list[int]()

        def choose(record: Record, rows: Sequence[int], targets: Sequence[Any]) -> Sequence[int]:
            target = None if wanted.label is None else place_of_class(record, wanted.label)
            there = [i for i, row in enumerate(rows) if row > wanted.after and has_class(targets[i], target)]
            there.sort(key=lambda i: rows[i])
            limit = self._limit(record, wanted)
            after[:] = [rows[there[limit - 1]]] if len(there) > limit else []
            return there[:limit]

        contents = await self._store.contents(client, wanted.version, choose)
        shown = await self._shown(contents, inputs=wanted.inputs)
        return Page(contents.record, shown, after[0] if after else None)

    def _limit(self, record: Record, wanted: Wanted) -> int:
        """The examples of one page, so that it is not over the limit for answers."""
        if not wanted.inputs or record.form is None:
            return wanted.limit
        most = self._learning.settings.max_answer_bytes // (JSON_BYTES * max(1, record.form.numbers()))
        return max(1, min(wanted.limit, most))

    async def _shown(self, contents: Contents, *, inputs: bool) -> list[Shown]:
        raw: list[Any] = [None] * len(contents.examples)
        if inputs and contents.examples:
            kind, decoded = self._learning.served(contents.record).input, contents.support().inputs
            raw = await THREADS.run(lambda: kind.show(decoded), decoded.nbytes)
        labels = contents.labels()
        return [Shown(*each) for each in zip(contents.examples, labels, raw, strict=True)]

    async def example(self, client: ClientKey, name: str, *, inputs: bool = False) -> tuple[Record, Shown]:
        """One example, and the record of the client. Raises UnknownClient, UnknownExample, CorruptRecord."""
        contents = await self._store.example(client, name)
        place_of(contents, name)
        [shown] = await self._shown(contents, inputs=inputs)
        return contents.record, shown

    async def relabel(
        self, client: ClientKey, name: str, label: Any, expected: Collection[str] | None = None
    ) -> Adapted:
        """Give an example another label. Raises UnknownExample, Unprocessable, and as `_change`."""

        def edit(contents: Contents, card: Card) -> Edit:
            place, labels = place_of(contents, name), contents.labels()
            labels[place] = new_label(card, contents.record, label)
            return Edit(range(len(labels)), labels)

        return await self._change(client, "relabel", edit, expected)

    async def rename(self, client: ClientKey, old: str, label: Any, expected: Collection[str] | None = None) -> Adapted:
        """Give a class another name. Raises UnknownClass, Conflict, Unprocessable, and as `_change`."""

        def edit(contents: Contents, card: Card) -> Edit:
            target, labels = place_of_class(contents.record, old), contents.labels()
            new = new_name(card, contents.record, label)
            classes = contents.record.classes or []
            if new in classes and new != classes[target]:
                raise Conflict(f"The client has a class {new!r} already. Relabel the examples of {old!r} one by one.")
            return Edit(range(len(labels)), [renamed(label, classes[target], new) for label in labels])

        return await self._change(client, "rename", edit, expected)

    async def remove(
        self, client: ClientKey, name: str, expected: Collection[str] | None = None, *, keep_history: bool = False
    ) -> Adapted:
        """Remove an example; the record of the answer has the receipt.

        Args:
            client: The client.
            name: The id of the example.
            expected: Entity tags of versions that may be changed; None: any.
            keep_history: Whether earlier versions keep the example.

        Raises:
            UnknownExample: There is no such example. See `_change` for others.
        """

        def edit(contents: Contents, _: Card) -> Edit:
            gone = place_of(contents, name)
            return _without(contents, lambda place: place == gone)

        return await self._change(client, "remove", edit, expected, keep_history=keep_history)

    async def remove_class(
        self, client: ClientKey, label: str, expected: Collection[str] | None = None, *, keep_history: bool = False
    ) -> Adapted:
        """Remove all examples of a class. Where an example may have several labels, it stays without this one.

        Raises UnknownClass, and as `remove`.
        """

        def edit(contents: Contents, _: Card) -> Edit:
            target = place_of_class(contents.record, label)
            if contents.record.several:
                name = (contents.record.classes or [])[target]
                return Edit(
                    range(len(contents.targets)), [[each for each in own if each != name] for own in contents.labels()]
                )
            return _without(contents, lambda place: contents.targets[place] == target)

        return await self._change(client, "remove", edit, expected, keep_history=keep_history)

    async def _change(
        self,
        client: ClientKey,
        change: str,
        edit: Editor,
        expected: Collection[str] | None,
        *,
        keep_history: bool = False,
    ) -> Adapted:
        """Edit the examples and adapt to what remains.

        Raises:
            UnknownClient, CorruptRecord, Contended, PreconditionFailed: The client cannot be changed.
        """
        return await retried(lambda: self._edited(client, change, edit, expected, keep_history))

    async def _edited(
        self, client: ClientKey, change: str, edit: Editor, expected: Collection[str] | None, keep_history: bool
    ) -> Adapted:
        clock, contents = Clock(), await self._store.contents(client)
        record = contents.record
        check_expected(record, expected)
        card = self._learning.served(record)
        edited = edit(contents, card)
        kept = set(edited.places)
        removed = [example for place, example in enumerate(contents.examples) if place not in kept]
        forgotten = [] if keep_history or not removed else await self._store.versions(client)
        lesson = Lesson(
            card, [contents.examples[place] for place in edited.places], edited.labels, record.form,
            record.label_names, record.expires_at, change, removed=removed, keep_history=keep_history, accepted=True,
            kept=list(edited.places),
        ).of(record)  # fmt: skip
        adapted = await self._learning.learn(client, lesson, clock, after=record)
        for version in forgotten:
            if isinstance(version, Record):
                self._engine.evict(version.write)
        return adapted


JSON_BYTES = 8
"""Bytes of a number of an input in an answer, at most as a mean."""


def place_of(contents: Contents, name: str) -> int:
    """The place of an example. Raises UnknownExample."""
    for place, example in enumerate(contents.examples):
        if example.id == name:
            return place
    client_id = contents.record.client_id
    raise UnknownExample(f"Client {client_id!r} has no example {name!r}. GET /clients/{client_id}/examples lists them.")


def place_of_class(record: Record, label: str) -> int:
    """The target of a class by its label as text. Raises UnknownClass."""
    for place, each in enumerate(record.classes or []):
        if str(each) == label:
            return place
    have = "has no classes" if record.classes is None else f"has no class {label!r}"
    raise UnknownClass(f"Client {record.client_id!r} {have}. GET /clients/{record.client_id} lists its classes.")


def has_class(target: Any, wanted: int | None) -> bool:
    """Whether an example with this target is of a class; None: of any."""
    return wanted is None or (wanted in target if isinstance(target, list) else wanted == target)


def renamed(label: Any, old: Any, new: Any) -> Any:
    """A label, or a set of labels, with another name for a class."""
    if isinstance(label, list):
        return sorted(new if each == old else each for each in label)
    return new if label == old else label


def new_name(card: Card, record: Record, label: Any) -> Any:
    """A new name of a class in its normal form. Raises Unprocessable."""
    found = new_label(card, record, label)
    return found[0] if record.several else found


def new_label(card: Card, record: Record, label: Any) -> Any:
    """A new label in its normal form. Raises Unprocessable."""
    try:
        [checked] = checked_new_labels(card, record, [label])
    except Unprocessable as error:
        field = (error.field or "support[0].label").removeprefix("support[0].")
        raise Unprocessable(error.detail.replace("support[0].", ""), field=field) from None
    return checked


def _without(contents: Contents, gone: Callable[[int], bool]) -> Edit:
    labels = contents.labels()
    places = [place for place in range(len(labels)) if not gone(place)]
    return Edit(places, [labels[place] for place in places])
