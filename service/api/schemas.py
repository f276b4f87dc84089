"""What the bodies of requests and answers share, clients as they are shown, and errors."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from service import absent
from service.inputs.kind import InputWarning
from service.store.examples import NAME
from service.store.records import Receipt

CLIENT_ID = NAME
NAME_RULE = "takes 1 to 128 letters, digits and _ . ~ @ : + -, of which a letter, a digit or _ is the first"
"""What the pattern says, for error messages."""

ClientId = Annotated[
    str,
    Field(
        pattern=CLIENT_ID,
        description="1 to 128 letters, digits and _ . ~ @ : + -, beginning with a letter, a digit or _.",
        examples=["alice"],
    ),
]

ExampleId = Annotated[
    str,
    Field(
        pattern=CLIENT_ID,
        description="1 to 128 letters, digits and _ . ~ @ : + -, beginning with a letter, a digit or _.",
        examples=["photo-17"],
    ),
]

LabelIn = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "A class: a string or an integer. For regression: a number or a list of numbers.",
            "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "number"}}],
        }
    ),
]


class Body(BaseModel):
    """A request. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


KeepQueries = Annotated[
    int,
    Field(
        description="Seconds that each query is kept for feedback. Absent if none is.",
        exclude_if=absent.if_empty,
    ),
]
Warnings = Annotated[
    list[InputWarning],
    Field(
        description="Accepted inputs that may not be what was meant. Absent if there are none.",
        exclude_if=absent.if_empty,
    ),
]

Keep = Annotated[
    int,
    Field(
        description="The most examples of each class. Absent if any number.",
        exclude_if=absent.if_empty,
    ),
]

Unlabelled = Annotated[
    int,
    Field(
        description="How many of the examples have no label. Absent if all have one.",
        exclude_if=absent.if_empty,
    ),
]

HalfLife = Annotated[
    float,
    Field(
        description="The seconds in which an example loses half of its weight. Absent if it never does.",
        exclude_if=absent.if_empty,
    ),
]

Several = Annotated[
    bool,
    Field(
        description="Whether an example may have several labels, or none. Absent if not.",
        exclude_if=absent.if_empty,
    ),
]


class ClientInfo(BaseModel):
    """An adapted client."""

    client_id: str
    model: str
    version: int
    classes: list[str] | list[int] | None
    several: Several = False
    examples: int
    unlabelled: Unlabelled = 0
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    keep_queries_s: KeepQueries = 0
    keep: Keep = 0
    half_life_s: HalfLife = 0


class ClientPage(BaseModel):
    """A page of adapted clients, in the order of their ids."""

    clients: list[ClientInfo]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")


class Problem(BaseModel):
    """An error, as application/problem+json (RFC 9457)."""

    type: str = Field(examples=["urn:handful:problem:invalid"])
    title: str
    status: int
    detail: str = Field(description="What was wrong, the limit and the way out.")
    code: str = Field(description="Stable: the last part of `type`.")
    field: str | None = Field(None, description="The place in the request.")
    receipt: Receipt | None = Field(None, description="The receipt of the removal that took the version.")
