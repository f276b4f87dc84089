"""What the next version of a client changes in Redis: the rows to write, and the versions and rows to delete."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from service.arrays import UNLABELLED
from service.errors import CorruptRecord
from service.store.checksums import parse_entry, parse_rows, seal
from service.store.connect import Client
from service.store.examples import Entry, Example, ranges
from service.store.keys import examples_key, inputs_key, versions_key
from service.store.records import Blob, ClientKey, Draft, Gone, Receipt, Record, Rows, Snapshot, unexpired
from service.store.redis_client import is_other_type


class History(NamedTuple):
    """The hashes of a client. `readable`: none of them has a value of another type."""

    versions: Mapping[bytes, Blob]
    examples: Mapping[bytes, Blob]
    inputs: Sequence[bytes]
    readable: bool = True

    def size(self) -> int:
        """The bytes to parse."""
        return sum(len(text or b"") for each in (self.versions, self.examples) for text in each.values())

    def kept(self, first: int, last: int) -> dict[int, Rows | Gone]:
        """The readable versions from `first` to `last`."""
        numbers = [int(field) for field in self.versions if field.isdigit() and first <= int(field) <= last]
        found = {number: _readable(self.versions[b"%d" % number], number) for number in numbers}
        return {number: version for number, version in found.items() if version is not None}

    def entries(self) -> dict[tuple[str, str], Entry]:
        """The readable entries by id and digest of the input."""
        found = [parse_entry(text) for text in self.examples.values()]
        return {(entry.id, entry.input): entry for entry in found if entry is not None}


EMPTY = History({}, {}, [])


async def read_history(redis: Client, client: ClientKey) -> History:
    """The hashes of a client, at about the same time. Raises the errors of redis-py."""
    pipe = redis.pipeline(transaction=False)
    pipe.hgetall(versions_key(client))
    pipe.hgetall(examples_key(client))
    pipe.hkeys(inputs_key(client))
    found: list[Any] = await pipe.execute(raise_on_error=False)
    for each in found:
        if isinstance(each, ResponseError) and is_other_type(each):
            return EMPTY._replace(readable=False)
        if isinstance(each, Exception):
            raise each
    return History(*found)


class Change(NamedTuple):
    """The next version, and what it changes.

    record     the record of the version
    snapshot   the version as it is stored
    fresh      whether nothing that is stored stays
    arguments  the last lists of WRITE: rows to add, rows to delete, versions to delete or to replace by a receipt,
               digests of inputs whose kept queries are to be deleted, `*` for all
    """

    record: Record
    snapshot: bytes
    fresh: bool
    arguments: tuple[list[Any], list[bytes], list[bytes], list[str]]


def next_change(
    client: ClientKey, draft: Draft, found: Record | None, history: History, keep: int, *, answers: bool
) -> Change:
    """What writes a draft.

    Args:
        client: The client.
        draft: The version to write.
        found: The record that is stored, also an expired one.
        history: What is stored beside it.
        keep: The number of versions to keep.
        answers: Whether a version has the answer to its request, because nothing else stores both at once.
    """
    old = unexpired(found)
    fresh = old is None or old.next_row is None or not history.readable
    stored, first = (EMPTY, 0) if fresh or old is None else (history, old.next_row or 0)
    examples = [example._replace(row=None) for example in draft.examples] if fresh else draft.examples
    entries = stored.entries()
    placed, added, next_row = _place(examples, entries, first, timed=draft.half_life_s > 0)
    record = _record(client, draft, found, next_row)
    snapshot = _snapshot(record, placed, draft, answers=answers)
    kept = _kept(stored, record, draft, keep, old_form=old is not None and old.next_row is None)
    used = {row for version in [snapshot, *kept.values()] for row in _rows(version)}
    sizes = {entry.row: entry.size for entry in entries.values()} | {each.row: len(each.raw) for each in placed}
    record.bytes = sum(sizes.get(row, 0) for row in used)
    known = {b"%d" % number: version for number, version in kept.items()}
    gone = {field: b"" for field in stored.versions if field not in known}
    receipts = {field: seal(each) for field, each in known.items() if isinstance(each, Gone)}
    gone |= {field: receipt for field, receipt in receipts.items() if receipt != stored.versions.get(field)}
    unused = sorted({*stored.examples, *stored.inputs} - {b"%d" % row for row in used})
    rows = [part for example in added for part in (example.row, _entry(example), example.raw)]
    versions = [part for each in gone.items() for part in each]
    return Change(record, seal(snapshot), fresh, (rows, unused, versions, _lost(draft, record, old, fresh=fresh)))


def _lost(draft: Draft, record: Record, old: Record | None, *, fresh: bool) -> list[str]:
    """Digests of the inputs whose kept queries are to be deleted: those of removed examples. `*`, all, if nothing stays
    of the client, if it asks for less time than before, or if its model takes other inputs."""
    changed = old is None or record.keep_queries_s < old.keep_queries_s or record.input != old.input
    return ["*"] if fresh or changed else [example.digest for example in draft.removed]


def _place(
    examples: Sequence[Example], known: Mapping[tuple[str, str], Entry], next_row: int, *, timed: bool
) -> tuple[list[Example], list[Example], int]:
    """The examples with their rows, those to write, and the next row.

    An example that some version has takes its row again, and is written again, in case the stored one is damaged. If
    their times count (`timed`), it does so only with the same time.
    """
    placed, added, taken = [], [], {example.row for example in examples}
    for example in examples:
        if example.row is None:
            entry = known.get((example.id, example.digest))
            same = entry is not None and (not timed or entry.created_at == example.created_at)
            if entry is not None and same and entry.row not in taken:
                example = example._replace(row=entry.row, created_at=entry.created_at)  # noqa: PLW2901
            else:
                example, next_row = example._replace(row=next_row), next_row + 1  # noqa: PLW2901
            taken.add(example.row)
            added.append(example)
        placed.append(example)
    return placed, added, next_row


def _record(client: ClientKey, draft: Draft, found: Record | None, next_row: int) -> Record:
    """The record of a draft after the record `found`; version 1 if that has expired."""
    now, old = datetime.now(UTC), unexpired(found)
    version = old.version + 1 if old else 1
    removed = [example.id for example in draft.removed]
    return Record(
        write=draft.write,
        replaces=found.write if found else None,
        request=draft.request.id if draft.request else None,
        next_row=next_row,
        client_id=client.client_id,
        model=draft.model,
        checkpoint=draft.checkpoint,
        version=version,
        change=draft.change,
        classes=draft.classes,
        examples=len(draft.examples),
        input=draft.input,
        form=draft.form,
        created_at=old.created_at if old else now,
        updated_at=now,
        expires_at=draft.expires_at,
        columns=draft.columns,
        label_names=draft.label_names,
        keep_queries_s=_kept_for(draft, old),
        keep=draft.keep,
        half_life_s=draft.half_life_s,
        several=draft.several,
        unlabelled=0 if draft.classes is None else draft.targets.count(UNLABELLED),
        receipt=Receipt(examples=removed, from_version=version - 1, to_version=version, removed_at=now)
        if removed
        else None,
    )


def _kept_for(draft: Draft, old: Record | None) -> int:
    """Seconds to keep queries. It is a setting of the client, which a version changes only if it says so."""
    if draft.keep_queries_s is not None:
        return draft.keep_queries_s
    return old.keep_queries_s if old else 0


def _snapshot(record: Record, placed: Sequence[Example], draft: Draft, *, answers: bool) -> Snapshot:
    rows = ranges([example.row for example in placed if example.row is not None])
    answer = draft.answer() if answers and draft.request is not None else None
    return Snapshot.model_validate(record.model_dump() | {"rows": rows, "targets": draft.targets, "answer": answer})


def _kept(stored: History, record: Record, draft: Draft, keep: int, *, old_form: bool) -> dict[int, Rows | Gone]:
    """The earlier versions that stay, with a receipt in place of those that the draft removes."""
    kept = stored.kept(record.version - keep + 1, record.version - 1)
    if record.receipt is None or draft.keep_history:
        return kept
    lost, receipt = {example.row for example in draft.removed}, record.receipt
    if old_form and keep > 1:
        return {record.version - 1: Gone(version=record.version - 1, receipt=receipt)}
    return {
        number: each if lost.isdisjoint(_rows(each)) else Gone(version=number, receipt=receipt)
        for number, each in kept.items()
    }


def _rows(version: Rows | Gone) -> list[int]:
    return version.row_numbers() if isinstance(version, Rows) else []


def _readable(text: Blob, number: int) -> Rows | Gone | None:
    try:
        return parse_rows(text, number)
    except CorruptRecord:
        return None


def _entry(example: Example) -> bytes:
    assert example.row is not None
    return seal(
        Entry(
            row=example.row, id=example.id, created_at=example.created_at, input=example.digest, size=len(example.raw)
        )
    )
