"""What is stored of a client."""

import math
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel

from service.arrays import Arrays

STATE_FORM = 3
"""Of what is in a state: another form, another number, and states of the old one are made anew."""


class ClientKey(NamedTuple):
    """Whose: a client id means nothing outside its tenant."""

    tenant: str
    client_id: str


class StateKey(NamedTuple):
    """Exactly which state: what this checkpoint makes of one `write` of the client's support set. A worker has one
    checkpoint of each model, and knows a state by its `write`."""

    client: ClientKey
    write: str
    checkpoint: str

    @property
    def name(self) -> str:
        """The store's line before a state."""
        return f"{STATE_FORM}:{self.write}:{self.checkpoint}"


class Record(BaseModel):
    """What is known of a client without reading its examples. No two writes have the same `write`: one that is tried
    again knows itself by it, and so does the state of a client from that of one before it, under the same id.
    `replaces` is the `write` before it, whose state no device need hold."""

    write: str
    replaces: str | None = None

    client_id: str
    model: str
    version: int
    classes: list[str] | list[int] | None
    examples: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None

    def expired(self) -> bool:
        """Whether the client asked to be forgotten by now."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    def seconds_left(self, most: int) -> int:
        """How long something of this client may be kept, at most `most`."""
        if self.expires_at is None:
            return most
        return max(1, min(most, math.ceil((self.expires_at - datetime.now(UTC)).total_seconds())))


def unexpired(record: Record | None) -> Record | None:
    """The record, unless there is none or its client asked to be forgotten by now."""
    return None if record is None or record.expired() else record


class Draft(NamedTuple):
    """A version about to be written: what `Store.commit` makes a Record of."""

    write: str
    model: str
    checkpoint: str
    classes: list[str] | list[int] | None
    support: Arrays
    state: Arrays
    expires_at: datetime | None


def next_record(client: ClientKey, draft: Draft, found: Record | None) -> Record:
    """The record of the version that a draft becomes, after what is found, or as the first if that has expired."""
    now = datetime.now(UTC)
    old = unexpired(found)
    return Record(
        write=draft.write,
        replaces=found.write if found else None,
        client_id=client.client_id,
        model=draft.model,
        version=old.version + 1 if old else 1,
        classes=draft.classes,
        examples=len(draft.support["targets"]),
        created_at=old.created_at if old else now,
        updated_at=now,
        expires_at=draft.expires_at,
    )
