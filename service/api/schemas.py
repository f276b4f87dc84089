"""The bodies of requests and answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from service.inputs import kind as inputs
from service.inputs.registry import RequestInput

CLIENT_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.~@:+-]{0,127}$"

ClientId = Annotated[
    str,
    Field(
        pattern=CLIENT_ID,
        description="1 to 128 letters, digits and _ . ~ @ : + -, beginning with a letter, a digit or _.",
        examples=["alice"],
    ),
]

LabelIn = Annotated[
    Any,
    WithJsonSchema(
        {
            "description": "A class, a string or an integer; for regression a number, or a list of numbers.",
            "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "number"}}],
        }
    ),
]


class Body(BaseModel):
    """A request. Unknown fields are refused, because they are mistakes."""

    model_config = ConfigDict(extra="forbid")


class Example(Body):
    """One labelled input."""

    input: RequestInput
    label: LabelIn


class AdaptRequest(Body):
    """Adapt a model to labelled examples."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "client_id": "bob",
                    "model": "sinusoid",
                    "support": [{"input": -2, "label": -2.73}, {"input": 0, "label": 0}, {"input": 2, "label": 2.73}],
                }
            ]
        }
    )

    client_id: ClientId
    model: str | None = Field(None, description="A name of GET /models. Left out: the default model.")
    support: list[Example] = Field(min_length=1, description="The labelled examples.")
    mode: Literal["replace", "append"] = Field(
        "replace", description="`replace` the support set of the client, or `append` to it."
    )
    ttl_s: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=10 * 365 * 86400,
        description="Seconds after which the client is forgotten. Left out: never; when appending, as before.",
    )
    use_label_names: bool | None = Field(
        None,
        strict=True,
        description="Whether labels that are words may be learned from, by models that can. They are used only where "
        "they fit the examples. Left out: true; when appending, as before.",
    )


class InputWarning(BaseModel):
    """An input that was taken and may not be what was meant."""

    field: str = Field(description="Where in the request.", examples=["inputs[0]"])
    code: str = Field(description="Stable.", examples=["no_ink"])
    detail: str


Warnings = Annotated[
    list[InputWarning],
    Field(
        description="Inputs that may not be what was meant. Absent when there are none.",
        exclude_if=lambda given: not given,
    ),
]


def warnings_of(given: Sequence[inputs.InputWarning]) -> list[InputWarning]:
    """Warnings as an answer shows them."""
    return [InputWarning(**warning._asdict()) for warning in given]


class AdaptResponse(BaseModel):
    """An adapted model."""

    client_id: str
    model: str
    version: int = Field(description="Counts this client's adapts.")
    classes: list[str] | list[int] | None = Field(description="null for regression.")
    examples: int
    state_bytes: int = Field(description="Size of the adapted state.")
    names_used: Annotated[
        int | None,
        Field(
            description="Number of classes whose names were learned from. Absent for models that do not use names.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    expires_at: datetime | None
    warnings: Warnings = []
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage: decode; adapt, with its wait; store, unless there is an "
        "Idempotency-Key."
    )


class PredictRequest(Body):
    """Ask the client's adapted model for predictions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"client_id": "bob", "inputs": [-1, 1]}]})

    client_id: ClientId
    inputs: list[RequestInput] = Field(min_length=1)
    top_k: int | None = Field(
        None,
        strict=True,
        ge=1,
        description="How many of the most probable classes each answer holds; null: all. Left out: all of up to 20 "
        "classes, else 5.",
    )


class Classified(BaseModel):
    """The answer of a classifier to one input."""

    label: str | int
    probability: float
    probabilities: dict[str, float] = Field(
        description="By the label as a string: of all classes, or of the `top_k` most probable ones, which come first."
    )


class Regressed(BaseModel):
    """The answer of a regressor to one input."""

    value: float | list[float]


class PredictResponse(BaseModel):
    """The answers, in the order of the inputs."""

    client_id: str
    model: str
    version: int
    inference: Literal["inductive", "transductive"] = Field(
        description="inductive: each input was answered by itself. transductive: an answer may depend on the request's "
        "other inputs, never on another request's. Fewer inputs than classes are answered inductively by every model."
    )
    predictions: list[Classified] | list[Regressed]
    warnings: Warnings = []
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage: decode; predict, with its wait and the fetch of the state."
    )


class ClientInfo(BaseModel):
    """An adapted client."""

    client_id: str
    model: str
    version: int
    classes: list[str] | list[int] | None
    examples: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


class ClientPage(BaseModel):
    """A page of adapted clients, in the order of their ids."""

    clients: list[ClientInfo]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")


class Problem(BaseModel):
    """An error, as application/problem+json (RFC 9457)."""

    type: str = Field(examples=["urn:handful:problem:invalid"])
    title: str
    status: int
    detail: str = Field(description="What was wrong, the limit, and the way out.")
    code: str = Field(description="Stable: the last part of `type`.")
    field: str | None = Field(None, description="Where in the request.")
