"""The records that are stored for a client."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel

from service.arrays import Arrays, SupportSet
from service.inputs.kind import InputWarning

Blob = bytes | str | None
"""A reply of Redis; None: there is no such key."""

STATE_FORM = 4
"""Version of the format of stored states. States of another version are rebuilt from the support set."""


class ClientKey(NamedTuple):
    """A client of a tenant. Client ids are unique within a tenant only."""

    tenant: str
    client_id: str


class StateKey(NamedTuple):
    """A state: the result of one checkpoint on one `write` of the client's support set. A worker has one checkpoint of
    each model, so `write` alone identifies a state there."""

    client: ClientKey
    write: str
    checkpoint: str

    @property
    def name(self) -> str:
        """The name that is stored before a state."""
        return f"{STATE_FORM}:{self.write}:{self.checkpoint}"


class Record(BaseModel):
    """A client without its examples.

    `write` is unique to each write. It distinguishes a version from the same version of a deleted client with the same
    id. `replaces` is the previous `write`; its state is no longer needed. `request` is the id of the request with an
    idempotency key.
    """

    write: str
    replaces: str | None = None
    support_digest: str | None = None
    request: str | None = None

    client_id: str
    model: str
    version: int
    classes: list[str] | list[int] | None
    examples: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    label_names: bool = True

    def expired(self) -> bool:
        """Whether the client has expired."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    def seconds_left(self, most: int) -> int:
        """Seconds until the client expires, between 1 and `most`."""
        if self.expires_at is None:
            return most
        return max(1, min(most, math.ceil((self.expires_at - datetime.now(UTC)).total_seconds())))


def unexpired(record: Record | None) -> Record | None:
    """The record; None if there is none or it has expired."""
    return None if record is None or record.expired() else record


class Adapted(BaseModel):
    """The result of a stored adapt."""

    record: Record
    state_bytes: int
    names_used: int | None = None
    warnings: list[InputWarning] = []
    timings_ms: dict[str, float]


class RequestKey(NamedTuple):
    """An idempotency key and a fingerprint of its request. Both are digests."""

    name: str
    fingerprint: str

    @property
    def id(self) -> str:
        """Both, as stored in a record."""
        return f"{self.name}:{self.fingerprint}"


class Draft(NamedTuple):
    """A version to write. `Store.commit` makes a Record of it. The last two fields are for the answer to `request`."""

    write: str
    model: str
    checkpoint: str
    classes: list[str] | list[int] | None
    support: SupportSet
    state: Arrays
    expires_at: datetime | None
    label_names: bool = True
    request: RequestKey | None = None
    warnings: Sequence[InputWarning] = ()
    timings_ms: Mapping[str, float] = {}


def state_bytes(state: Arrays) -> int:
    """The bytes of a state."""
    return sum(value.nbytes for value in state.values())


def names_used(state: Arrays) -> int | None:
    """The number of classes whose names count in a state; None for models that do not learn from names."""
    return int((state["names"] > 0).sum()) if "names" in state else None


def next_record(client: ClientKey, draft: Draft, support_digest: str, found: Record | None) -> Record:
    """The record of a draft after the record `found`; version 1 if that has expired."""
    now = datetime.now(UTC)
    old = unexpired(found)
    return Record(
        write=draft.write,
        replaces=found.write if found else None,
        support_digest=support_digest,
        request=draft.request.id if draft.request else None,
        client_id=client.client_id,
        model=draft.model,
        version=old.version + 1 if old else 1,
        classes=draft.classes,
        examples=len(draft.support.targets),
        created_at=old.created_at if old else now,
        updated_at=now,
        expires_at=draft.expires_at,
        label_names=draft.label_names,
    )
