"""Digests of stored values, so that corrupt values are noticed and never used.

Earlier versions wrote values without digests. Such values are used if they can be parsed. The next adapt of the client
writes digests.
"""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from service import metrics
from service.arrays import Array, Arrays, unpack_texts
from service.errors import CorruptRecord
from service.store.examples import Entry, Example, digest
from service.store.records import Blob, Gone, Record, Rows, Snapshot, StateKey

Sealed = TypeVar("Sealed", bound=BaseModel)
Version = TypeVar("Version", Snapshot, Rows)
VERSION: TypeAdapter[Snapshot | Gone] = TypeAdapter(Annotated[Snapshot | Gone, Field(union_mode="left_to_right")])
ROWS: TypeAdapter[Rows | Gone] = TypeAdapter(Annotated[Rows | Gone, Field(union_mode="left_to_right")])

ENTRY = msgspec.json.Decoder(Entry)

MARK = b',"digest":"'
"""No string inside a record can contain this, because JSON escapes quotes."""


def seal(value: BaseModel | Entry) -> bytes:
    """A value as JSON with its digest as the last field."""
    text = msgspec.json.encode(value) if isinstance(value, Entry) else value.model_dump_json().encode()
    return text[:-1] + MARK + digest(text).encode() + b'"}'


def unsealed(text: bytes) -> bytes | None:
    """The JSON without its digest; None if it has no digest. Raises ValueError if the digest does not match."""
    head, mark, tail = text.rpartition(MARK)
    if not mark:
        return None
    body = head + b"}"
    if tail != digest(body).encode() + b'"}':
        raise ValueError("the digest does not match")
    return body


def parse_record(text: Blob) -> Record | None:
    """The record; None if there is none. Counts and raises CorruptRecord."""
    if text is None:
        return None
    try:
        raw = as_bytes(text)
        body = unsealed(raw)
        return Record.model_validate_json(raw, extra="forbid") if body is None else Record.model_validate_json(body)
    except (ValidationError, ValueError):
        raise corrupt("record") from None


def parse_version(text: Blob, number: int) -> Snapshot | Gone:
    """What is stored of a version. Counts and raises CorruptRecord."""
    return _parsed(text, number, VERSION)


def parse_rows(text: Blob, number: int) -> Rows | Gone:
    """The rows of a version, which take less time than all of it. Counts and raises CorruptRecord."""
    return _parsed(text, number, ROWS)


def _parsed(text: Blob, number: int, form: TypeAdapter[Version | Gone]) -> Version | Gone:
    try:
        found = form.validate_json(unsealed(as_bytes(text)) or b"")
        if found.version == number:
            return found
    except (ValidationError, ValueError, TypeError):
        pass
    raise corrupt("version")


def parse_entry(text: Blob) -> Entry | None:
    """What is stored of an example beside its input; None if it is missing or corrupt."""
    try:
        return ENTRY.decode(unsealed(as_bytes(text)) or b"")
    except (msgspec.DecodeError, ValueError, TypeError):
        return None


def parse_examples(rows: Sequence[int], texts: Sequence[Blob], inputs: Sequence[Blob]) -> list[Example]:
    """The examples of rows. Counts and raises CorruptRecord."""
    found = [_example(*each) for each in zip(rows, texts, inputs, strict=True)]
    examples = [example for example in found if example is not None]
    if len(examples) < len(found):
        raise corrupt("support set")
    return examples


def _example(row: int, text: Blob, raw: Blob) -> Example | None:
    entry = parse_entry(text)
    if entry is None or entry.row != row or not isinstance(raw, bytes) or digest(raw) != entry.input:
        return None
    return Example(entry.id, entry.created_at, entry.input, raw, row)


def parse_old_support(record: Record, blob: Blob) -> tuple[Array, Array]:
    """The inputs and targets of a client that 0.1 wrote. Counts and raises CorruptRecord."""
    try:
        value = as_bytes(blob)
        if record.support_digest not in (None, digest(value)):
            raise ValueError("the digest does not match")
        tensors = _unpacked(load(value))
        if len(tensors["targets"]) == record.examples:
            return tensors["inputs"], tensors["targets"]
    except (SafetensorError, KeyError, TypeError, ValueError):
        pass
    raise corrupt("support set")


def _unpacked(support: Arrays) -> Arrays:
    if "lengths" not in support:
        return support
    lengths = support.pop("lengths")
    return support | {"inputs": unpack_texts(support["inputs"], lengths)}


def tag_state(key: StateKey, state: Arrays) -> bytes:
    """A state as it is stored."""
    blob = save(state)
    return f"{key.name}:{digest(blob)}\n".encode() + blob


def parse_state(key: StateKey, found: Blob) -> Arrays | None:
    """The state; None if there is none, if it is another state, or if it is corrupt, which is counted."""
    if not found:
        return None
    tag, _, blob = as_bytes(found).partition(b"\n")
    name, _, expected = tag.rpartition(b":")
    if name != key.name.encode():
        return None
    if expected != digest(blob).encode():
        metrics.corrupt_states.inc()
        return None
    return load(blob)


def corrupt(part: str) -> CorruptRecord:
    """Count a corrupt value of a client, and return the error for it."""
    metrics.corrupt_records.inc()
    return CorruptRecord(f"The stored {part} of this client is corrupt. Adapt the client again or DELETE it.")


def as_bytes(blob: Blob) -> bytes:
    """A reply of Redis as bytes. Raises TypeError if it is None."""
    if not isinstance(blob, bytes):
        raise TypeError("no bytes")
    return blob
