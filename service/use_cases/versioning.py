"""The use cases on whole versions of a client: list, roll back, copy, move, adapt again."""

from collections.abc import Collection

from service.cards import Card
from service.clock import Clock
from service.errors import Conflict, UnknownVersion, VersionGone
from service.store.reading import Contents
from service.store.records import Adapted, ClientKey, Gone, Record, StateKey
from service.store.store import AlreadyThere, VersionMoved
from service.use_cases.learning import Learning, Lesson, check_expected, retried
from service.use_cases.states import States


class Versioning:
    """The use cases, for the clients of all tenants."""

    def __init__(self, learning: Learning) -> None:
        self._learning, self._store = learning, learning.store
        self._states = States(learning.engine, learning.store)

    async def versions(self, client: ClientKey) -> list[Record | Gone]:
        """The kept versions, the latest first, and receipts of removed ones. Raises UnknownClient, CorruptRecord."""
        return await self._store.versions(client)

    async def rollback(self, client: ClientKey, version: int, expected: Collection[str] | None = None) -> Adapted:
        """Make a new version with the model and the examples of an earlier one.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: There is nothing to go back to.
            PreconditionFailed: The client is not as expected.
        """

        async def attempt() -> Adapted:
            clock, record = Clock(), await self._store.record(client)
            check_expected(record, expected)
            contents = await self._contents(client, version, record)
            lesson = again(contents, self._learning.served(contents.record), "rollback")
            lesson = lesson._replace(expires_at=record.expires_at)
            return await self._learning.learn(client, lesson, clock, after=record)

        return await retried(attempt)

    async def _contents(self, client: ClientKey, version: int, current: Record) -> Contents:
        """A version of a client whose current record was read. Raises VersionMoved if it is gone since."""
        try:
            return await self._store.contents(client, version)
        except (UnknownVersion, VersionGone):
            if (await self._store.record(client)).write != current.write:
                raise VersionMoved from None
            raise

    async def move(self, client: ClientKey, model: str, expected: Collection[str] | None = None) -> Adapted:
        """Adapt another model to the examples of a client.

        Raises:
            UnknownModel, Conflict: There is no such model, or it takes other inputs or labels.
            UnknownClient, CorruptRecord, PreconditionFailed: The client cannot be moved.
        """
        card = self._learning.catalogue[model]

        async def attempt() -> Adapted:
            clock, contents = Clock(), await self._store.contents(client)
            record = contents.record
            check_expected(record, expected)
            self._check_fits(record, card)
            self._learning.support_sets.check_examples(card, len(contents.examples))
            lesson = again(contents, card, "move")._replace(accepted=False)
            return await self._learning.learn(client, lesson, clock, after=record)

        return await retried(attempt)

    def _check_fits(self, record: Record, card: Card) -> None:
        """Refuse a model whose inputs were decoded in another way. Raises Conflict."""
        known = record.input
        if known is None and record.model in self._learning.catalogue:
            known = self._learning.catalogue[record.model].input.model_dump(mode="json")
        if not card.input.takes(known or {}) or (record.classes is None) != (card.kind == "regression"):
            raise Conflict(
                f"The examples were decoded for {record.model!r}, and {card.name!r} takes other inputs or labels. "
                "Adapt the client with its examples again.",
                field="model",
            )
        if record.several and not card.several_labels:
            raise Conflict(f"The examples have several labels, and {card.name!r} takes one.", field="model")

    async def copy(self, client: ClientKey, to: str, version: int | None = None) -> Adapted:
        """Make another client of the same examples.

        Raises:
            UnknownClient, UnknownVersion, VersionGone, CorruptRecord: There is nothing to copy.
            Conflict: The other client exists.
        """
        clock, contents = Clock(), await self._store.contents(client, version)
        lesson = again(contents, self._learning.served(contents.record), "copy")
        fresh = [example._replace(row=None) for example in contents.examples]
        try:
            return await self._learning.learn(
                client._replace(client_id=to), lesson._replace(examples=fresh), clock, new=True
            )
        except AlreadyThere:
            raise Conflict(f"Client {to!r} exists. DELETE it first, or name another one.", field="client_id") from None

    async def readapt(self, client: ClientKey) -> tuple[Record, bool]:
        """Make the state again if its checkpoint was replaced. Returns whether it was.

        Raises:
            UnknownClient, CorruptRecord, Conflict: The client cannot be read, or its model is no longer served.
        """

        async def attempt() -> tuple[Record, bool]:
            record = await self._store.record(client)
            card = self._learning.served(record)
            key = StateKey(client, record.write, card.checkpoint)
            if not record.ready or record.checkpoint == card.checkpoint:
                return record, False
            if await self._store.state(key, record) is not None:
                return record, False
            await self._states.rebuild(key, card, record)
            return record, True

        return await retried(attempt)


def again(contents: Contents, card: Card, change: str) -> Lesson:
    """A lesson of the examples of a version, all in their places."""
    record = contents.record
    return Lesson(
        card, contents.examples, contents.labels(), record.form, record.label_names, record.expires_at, change,
        accepted=True,
    ).of(record)  # fmt: skip
