"""Digests of stored values, so that a value that was damaged is noticed and never believed.

Values that were written before there were digests are still read: a record without one, and the support set of a record
that has no digest of it, are believed if they can be parsed. The next adapt of the client writes digests.
"""

import hashlib

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from service import metrics
from service.arrays import TEXT, Arrays, pack_texts, unpack_texts
from service.errors import CorruptRecord
from service.store.records import Record, StateKey

Blob = bytes | str | None
MARK = b',"digest":"'
"""JSON escapes quotes, so no string inside a record can contain it."""


def digest(value: bytes) -> str:
    """Sixteen hexadecimal digits of BLAKE2b: enough against accidents; it does not protect against forgery."""
    return hashlib.blake2b(value, digest_size=8).hexdigest()


def seal(value: BaseModel) -> bytes:
    """A value as JSON, with the digest as its last field."""
    text = value.model_dump_json().encode()
    return text[:-1] + MARK + digest(text).encode() + b'"}'


def unsealed(text: bytes) -> bytes | None:
    """The JSON that was sealed, or None if there is no digest. Raises ValueError when the digest is another's."""
    head, mark, tail = text.rpartition(MARK)
    if not mark:
        return None
    body = head + b"}"
    if tail != digest(body).encode() + b'"}':
        raise ValueError("the digest is another's")
    return body


def parse_record(text: Blob) -> Record | None:
    """The record, or None if there is none. Raises CorruptRecord, which is counted."""
    if text is None:
        return None
    try:
        raw = as_bytes(text)
        body = unsealed(raw)
        return Record.model_validate_json(raw, extra="forbid") if body is None else Record.model_validate_json(body)
    except (ValidationError, ValueError):
        raise corrupt("record") from None


def parse_support(record: Record, blob: Blob) -> Arrays:
    """The support set that belongs to a record. Raises CorruptRecord, which is counted."""
    try:
        value = as_bytes(blob)
        if record.support_digest not in (None, digest(value)):
            raise ValueError("the digest is another's")
        support = _unpacked(load(value))
        if "inputs" in support and len(support["targets"]) == record.examples:
            return support
    except (SafetensorError, KeyError, TypeError, ValueError):
        pass
    raise corrupt("support set")


def dump_support(support: Arrays) -> bytes:
    """A support set as it is stored. safetensors has no texts: they are stored as bytes and lengths."""
    inputs = support["inputs"]
    if inputs.dtype != TEXT:
        return save(support)
    data, lengths = pack_texts(inputs)
    return save({**support, "inputs": data, "lengths": lengths})


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
    """The state, or None: nothing was found, it is another, or it is damaged, which is counted."""
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
    """The error for a client's unreadable value; it is counted."""
    metrics.corrupt_records.inc()
    return CorruptRecord(f"The stored {part} of this client cannot be read. Adapt it again, or DELETE it.")


def as_bytes(blob: Blob) -> bytes:
    """What Redis answered. Raises TypeError when there is nothing."""
    if not isinstance(blob, bytes):
        raise TypeError("no bytes")
    return blob
