"""Reads a version of a client whole: its record, its examples and their targets."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from redis.exceptions import ResponseError

from service.arrays import UNLABELLED, Array, SupportSet
from service.errors import CorruptRecord, UnknownClient, UnknownVersion, VersionGone
from service.inputs.label_sets import from_index_lists
from service.inputs.labels import Classes, class_names
from service.store.ages import weights_by_age
from service.store.checksums import corrupt, parse_entry, parse_examples, parse_old_support, parse_record, parse_version
from service.store.connect import Client
from service.store.examples import Example, Form, content_id, digest, form_of, free_id, from_raw, to_raw
from service.store.keys import examples_key, inputs_key, support_key, versions_key
from service.store.records import Blob, ClientKey, Gone, Record, Snapshot, unexpired
from service.store.redis_client import is_other_type

Found = TypeVar("Found")

Choose = Callable[[Record, Sequence[int], Sequence[Any]], Sequence[int]]
"""Chooses examples of a version by their rows and targets; returns their places."""


def everything(_: Record, rows: Sequence[int], __: Sequence[Any]) -> Sequence[int]:
    """Choose all examples."""
    return range(len(rows))


class Contents(NamedTuple):
    """A version with its examples. `targets` are class indices, lists of them where an example may have several labels,
    or lists of numbers for regression."""

    record: Record
    examples: list[Example]
    targets: list[Any]

    def support(self) -> SupportSet:
        """The support set. Raises CorruptRecord if its values do not fit together."""
        record, regression = self.record, self.record.classes is None
        try:
            inputs = from_raw([example.raw for example in self.examples], record.form or Form(dtype="uint8", shape=[]))
            if record.several:
                targets: Array = from_index_lists(self.targets, len(record.classes or ()))
            else:
                targets = np.array(self.targets, np.float32 if regression else np.int64)
        except (ValueError, TypeError, IndexError):
            raise corrupt("support set") from None
        names, ways = class_names(record.classes, named=record.label_names), len(record.classes or ())
        weights = None
        if record.half_life_s:
            weights = weights_by_age(self.examples, self.targets, record.half_life_s, ways=ways)
        return SupportSet(inputs, targets, ways, names, weights)

    def at(self, places: Sequence[int]) -> Self:
        """The examples at these places alone."""
        return self._replace(
            examples=[self.examples[place] for place in places], targets=[self.targets[place] for place in places]
        )

    def labels(self) -> list[Any]:
        """The label of each example, as it was sent."""
        return labels_of(self.record.classes, self.targets)


def labels_of(classes: Classes | None, targets: Sequence[Any]) -> list[Any]:
    """Targets as labels: classes, lists of them, or the targets themselves for regression. None: no label."""
    if classes is None:
        return list(targets)
    return [_label_of(classes, own) for own in targets]


def _label_of(classes: Classes, target: Any) -> Any:
    if isinstance(target, list):
        return [classes[each] for each in target]
    return None if target == UNLABELLED else classes[target]


class Reader:
    """Reads the clients of one Redis. Raises the errors of redis-py and those that each method names."""

    def __init__(self, redis: Client, text: Callable[[ClientKey], Awaitable[Blob]]) -> None:
        self._redis, self._text = redis, text

    async def contents(self, client: ClientKey, version: int | None = None, choose: Choose = everything) -> Contents:
        """A version, by default the current one, with all or some of its examples.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: It cannot be read.
        """
        return await self._unchanged(client, lambda record: self._contents(client, record, version, choose))

    async def example(self, client: ClientKey, name: str) -> Contents:
        """The current version with the example of this id alone, or with none if there is no such example. The inputs
        of the others are not read. Raises UnknownClient, CorruptRecord."""
        return await self._unchanged(client, lambda record: self._named_example(client, record, name))

    async def version(self, client: ClientKey, number: int | None) -> tuple[Record, Record]:
        """The current record, and that of a version, by default the current one.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: It cannot be read.
        """
        if number is None:
            current = known(client, parse_record(await self._text(client)))
            return current, current

        async def both(current: Record) -> tuple[Record, Record]:
            return current, current if number == current.version else await self.snapshot(client, number)

        return await self._unchanged(client, both)

    async def versions(self, client: ClientKey) -> list[Record | Gone]:
        """The kept versions, the latest first, and receipts of removed ones. Raises UnknownClient, CorruptRecord."""
        return await self._unchanged(client, lambda record: self._versions(client, record))

    async def snapshot(self, client: ClientKey, number: int) -> Snapshot:
        """An earlier version of a client. Raises UnknownVersion, VersionGone, CorruptRecord."""
        try:
            text = await self._redis.hget(versions_key(client), str(number))
        except ResponseError as error:
            raise _named(error, "version") from None
        if text is None:
            raise UnknownVersion(
                f"There is no version {number} of client {client.client_id!r}, or no longer. GET "
                f"/clients/{client.client_id}/versions lists those that are kept.",
                field="version",
            )
        found = parse_version(text, number)
        if isinstance(found, Gone):
            raise _gone(client, found)
        return found

    async def _unchanged(self, client: ClientKey, read: Callable[[Record], Awaitable[Found]]) -> Found:
        """What is found of a record. Reads again if the client changed meanwhile: what was found, or was missing, may
        then be of no version."""
        while True:
            text = await self._text(client)
            record = known(client, parse_record(text))
            try:
                found = await read(record)
            except (CorruptRecord, UnknownVersion, VersionGone):
                if await self._text(client) == text:
                    raise
                continue
            if await self._text(client) == text:
                return found

    async def _versions(self, client: ClientKey, record: Record) -> list[Record | Gone]:
        try:
            found = await self._redis.hgetall(versions_key(client))
        except ResponseError as error:
            raise _named(error, "version") from None
        kept = [parse_version(text, int(number)) for number, text in found.items() if int(number) <= record.version]
        return sorted(kept, key=lambda each: -each.version) if record.next_row is not None else [record]

    async def _named_example(self, client: ClientKey, record: Record, name: str) -> Contents:
        if record.next_row is None:
            old = await self._old_contents(client, record)
            return old.at([place for place, example in enumerate(old.examples) if example.id == name])
        try:
            texts = await self._redis.hgetall(examples_key(client))
        except ResponseError as error:
            raise _named(error, "support set") from None
        entries = [entry for entry in map(parse_entry, texts.values()) if entry is not None]
        named = {entry.row for entry in entries if entry.id == name}
        if not named and len(entries) < len(texts):  # it may be a damaged one
            raise corrupt("support set")

        def choose(_: Record, rows: Sequence[int], __: Sequence[Any]) -> Sequence[int]:
            return [place for place, row in enumerate(rows) if row in named]

        return await self._contents(client, record, None, choose)

    async def _contents(self, client: ClientKey, record: Record, number: int | None, choose: Choose) -> Contents:
        if number in (None, record.version) and record.next_row is None:
            old = await self._old_contents(client, record)
            return old.at(choose(record, range(len(old.examples)), old.targets))
        try:
            found = await self.snapshot(client, record.version if number is None else number)
        except UnknownVersion:
            if number in (None, record.version):
                raise corrupt("version") from None
            raise
        if found.version == record.version and found.write != record.write:
            raise corrupt("version")
        rows = found.row_numbers()
        if not len(rows) == len(found.targets) == found.examples:
            raise corrupt("version")
        version = record if found.version == record.version else found
        places = choose(version, rows, found.targets)
        examples = await self._examples(client, [rows[place] for place in places]) if places else []
        return Contents(version, examples, [found.targets[place] for place in places])

    async def _examples(self, client: ClientKey, rows: Sequence[int]) -> list[Example]:
        pipe, fields = self._redis.pipeline(transaction=False), [str(row) for row in rows]
        pipe.hmget(examples_key(client), fields)
        pipe.hmget(inputs_key(client), fields)
        found: list[Any] = await pipe.execute(raise_on_error=False)
        for each in found:
            if isinstance(each, Exception):
                raise _named(each, "support set") from None
        return parse_examples(rows, *found)

    async def _old_contents(self, client: ClientKey, record: Record) -> Contents:
        """The contents of a client that 0.1 wrote. The ids are made of the contents."""
        try:
            blob = await self._redis.get(support_key(client))
        except ResponseError as error:
            raise _named(error, "support set") from None
        inputs, targets = parse_old_support(record, blob)
        taken: set[str] = set()
        try:
            labels = labels_of(record.classes, targets.tolist())
        except IndexError:
            raise corrupt("support set") from None
        examples = []
        for raw, label in zip(to_raw(inputs), labels, strict=True):
            name = free_id(content_id(digest(raw), label), taken)
            taken.add(name)
            examples.append(Example(name, record.updated_at, digest(raw), raw))
        return Contents(record.model_copy(update={"form": form_of(inputs)}), examples, targets.tolist())


def known(client: ClientKey, record: Record | None) -> Record:
    """The record, unless it has expired. Raises UnknownClient."""
    if (found := unexpired(record)) is None:
        raise UnknownClient(f"No client {client.client_id!r} exists. POST its support set to /adapt.")
    return found


def _named(error: Exception, part: str) -> Exception:
    """CorruptRecord for a value of another type, else the error itself."""
    return corrupt(part) if isinstance(error, ResponseError) and is_other_type(error) else error


def _gone(client: ClientKey, found: Gone) -> VersionGone:
    to = found.receipt.to_version
    return VersionGone(
        f"Version {found.version} of client {client.client_id!r} is gone: version {to} removed examples that it had. "
        f"Ask version {to} or a later one.",
        field="version",
        receipt=found.receipt.model_dump(mode="json"),
    )
