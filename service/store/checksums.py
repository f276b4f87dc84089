"""Digests of stored values, so that corrupt values are noticed and never used.

Earlier versions wrote values without digests. Such values are used if they can be parsed. The next adapt of the client
writes digests.
"""

import hashlib

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from service import metrics
from service.arrays import TEXT, Arrays, SupportSet, pack_texts, unpack_texts
from service.errors import CorruptRecord
from service.inputs.labels import class_names
from service.store.records import Blob, Record, StateKey

MARK = b',"digest":"'
"""No string inside a record can contain this, because JSON escapes quotes."""


def digest(value: bytes) -> str:
    """16 hexadecimal digits of BLAKE2b. They detect accidents, not forgery."""
    return hashlib.blake2b(value, digest_size=8).hexdigest()


def seal(value: BaseModel) -> bytes:
    """A value as JSON with its digest as the last field."""
    text = value.model_dump_json().encode()
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


def dump_support(support: SupportSet) -> bytes:
    """A support set as it is stored: a safetensors file. The record has its classes.

    safetensors has no texts. They are stored as bytes and lengths.
    """
    if support.inputs.dtype != TEXT:
        return save({"inputs": support.inputs, "targets": support.targets})
    data, lengths = pack_texts(support.inputs)
    return save({"inputs": data, "lengths": lengths, "targets": support.targets})


def parse_support(record: Record, blob: Blob) -> SupportSet:
    """The support set of a record. Counts and raises CorruptRecord."""
    try:
        value = as_bytes(blob)
        if record.support_digest not in (None, digest(value)):
            raise ValueError("the digest does not match")
        tensors = _unpacked(load(value))
        names = class_names(record.classes, named=record.label_names)
        support = SupportSet(tensors["inputs"], tensors["targets"], len(record.classes or ()), names)
        if len(support.targets) == record.examples:
            return support
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
