"""The records that are stored for a client."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from service.arrays import Arrays
from service.inputs.kind import InputWarning
from service.store.examples import Example, Form

Blob = bytes | str | None
"""A reply of Redis; None: there is no such key."""

MIN_WAYS = 2
"""Classes that a classifier needs to predict."""

STATE_FORM = 5
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


class Receipt(BaseModel):
    """What stays of a removal."""

    examples: list[str] = Field(description="The ids of the removed examples.")
    from_version: int = Field(description="The last version that had them.")
    to_version: int = Field(description="The first version without them.")
    removed_at: datetime


class Record(BaseModel):
    """A version of a client without its examples.

    `write` is unique to each write. It distinguishes a version from the same version of a deleted client with the same
    id. `replaces` is the previous `write`; its state is no longer needed. `request` is the id of the request with an
    idempotency key. `columns` is what the input kind learned of the examples. `input` is the input kind of the model.
    `bytes` are those of the inputs that the kept versions need.
    `next_row` is the first row that was never used; None: the client was written by 0.1, which kept its support set
    under one key, with `support_digest`.
    `several`: an example may have several labels, or none.
    `unlabelled`: how many of the examples have no label.
    `keep_queries_s`: how long the client's queries are kept for feedback.
    `keep`: the most examples of each class; 0: any number.
    `half_life_s`: the seconds in which an example loses half of its weight; 0: it never does.
    """

    write: str
    replaces: str | None = None
    support_digest: str | None = None
    request: str | None = None
    next_row: int | None = None
    bytes: int = 0

    client_id: str
    model: str
    checkpoint: str | None = None
    version: int
    change: str = "replace"
    classes: list[str] | list[int] | None
    examples: int
    input: dict[str, Any] | None = None
    form: Form | None = None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    columns: list[Any] | None = None
    label_names: bool = True
    keep_queries_s: int = 0
    keep: int = 0
    half_life_s: float = 0
    several: bool = False
    unlabelled: int = 0
    receipt: Receipt | None = None

    @property
    def etag(self) -> str:
        """The entity tag of this version."""
        return f'"{self.version}-{self.write}"'

    @property
    def ready(self) -> bool:
        """Whether there are enough examples to adapt to: two classes, one where an example may have several or none, or
        one point of a regression."""
        return self.examples > 0 if self.classes is None else len(self.classes) >= (1 if self.several else MIN_WAYS)

    @property
    def task(self) -> tuple[int, int]:
        """The number of classes, and of examples that have a label: what temperatures and thresholds depend on."""
        return len(self.classes or ()), self.examples - self.unlabelled

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


class Rows(BaseModel):
    """The rows of the examples of a version, as ranges of which both ends count."""

    version: int
    rows: list[tuple[int, int]]

    def row_numbers(self) -> list[int]:
        """The rows, one by one."""
        return [row for first, last in self.rows for row in range(first, last + 1)]


class Gone(BaseModel):
    """In place of a version that a removal took."""

    version: int
    receipt: Receipt


class Answer(BaseModel):
    """What an adapt tells beside the version. `ids` are of the examples of the request; `dropped` of those over the
    number to keep."""

    state_bytes: int
    ids: list[str] = []
    dropped: list[str] = []
    names_used: int | None = None
    warnings: list[InputWarning] = []
    timings_ms: dict[str, float]

    def of(self, record: Record) -> "Adapted":
        """With the version."""
        return Adapted(record=record, **dict(self))


class Adapted(Answer):
    """The result of a stored adapt."""

    record: Record


class Snapshot(Record, Rows):
    """A version of a client, with a target for each of its examples. `answer`: to a request with an idempotency
    key, on a Cluster, where the script that writes the version cannot store it elsewhere too."""

    targets: list[Any]
    answer: Answer | None = None


class RequestKey(NamedTuple):
    """An idempotency key and a fingerprint of its request. Both are digests."""

    name: str
    fingerprint: str

    @property
    def id(self) -> str:
        """Both, as stored in a record."""
        return f"{self.name}:{self.fingerprint}"


class Draft(NamedTuple):
    """A version to write. `Store.commit` makes a Record of it.

    write        its unique id
    input        the input kind of the model
    targets      for each of the examples a class index, a list of class indices, or a list of numbers
    form         the form of the inputs; None without examples
    state        None: the examples are too few to adapt to
    removed      examples that this version removes
    keep_history whether earlier versions keep them
    keep_queries_s  seconds to keep the client's queries; None: as before, or else not at all
    keep         the most examples of each class; 0: any number
    half_life_s  the seconds in which an example loses half of its weight; 0: it never does
    ids, dropped, warnings and timings_ms are for the answer to `request`.
    """

    write: str
    model: str
    checkpoint: str
    input: dict[str, Any] | None
    classes: list[str] | list[int] | None
    examples: Sequence[Example]
    targets: list[Any]
    form: Form | None
    state: Arrays | None
    expires_at: datetime | None
    label_names: bool = True
    request: RequestKey | None = None
    ids: Sequence[str] = ()
    warnings: Sequence[InputWarning] = ()
    timings_ms: Mapping[str, float] = {}
    columns: list[Any] | None = None
    change: str = "replace"
    removed: Sequence[Example] = ()
    keep_history: bool = False
    several: bool = False
    keep_queries_s: int | None = None
    keep: int = 0
    dropped: Sequence[str] = ()
    half_life_s: float = 0

    def answer(self) -> Answer:
        """What the request is told beside the version."""
        return Answer(
            state_bytes=state_bytes(self.state),
            ids=list(self.ids),
            dropped=list(self.dropped),
            names_used=names_used(self.state),
            warnings=list(self.warnings),
            timings_ms=dict(self.timings_ms),
        )

    def adapted(self, record: Record) -> Adapted:
        """The answer to the request. It is kept for a while, so it holds nothing that was learned from the examples."""
        return self.answer().of(record.model_copy(update={"columns": None}))


def state_bytes(state: Arrays | None) -> int:
    """The bytes of a state."""
    return sum(value.nbytes for value in (state or {}).values())


def names_used(state: Arrays | None) -> int | None:
    """The number of classes whose names count in a state; None for models that do not learn from names."""
    return int((state["names"] > 0).sum()) if state and "names" in state else None
