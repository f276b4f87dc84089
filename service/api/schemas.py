"""The bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from service.api.sent_labels import LabelsIn
from service.inputs.kind import InputWarning
from service.inputs.registry import RequestInput
from service.store.examples import NAME
from service.store.records import Receipt
from service.use_cases.explanation import Explanation
from service.use_cases.intervals import IntervalInfo
from service.use_cases.judging import Threshold
from service.use_cases.label_sets import LabelThreshold
from service.use_cases.quality import Quality

CLIENT_ID = NAME

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


class Example(Body):
    """One labelled input."""

    input: RequestInput
    label: LabelIn = None
    labels: LabelsIn | None = Field(None, description="In place of `label`: several classes, or none of them.")
    id: ExampleId | None = Field(None, description="Names the example. Default: a digest of its input and its label.")


class AdaptRequest(Body):
    """Adapt a model to labelled examples."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "client_id": "bob",
                    "model": "sinusoid",
                    "support": [{"input": -2, "label": -2.73}, {"input": 0, "label": 0}, {"input": 2, "label": 2.73}],
                },
                {
                    "client_id": "carol",
                    "model": "texts",
                    "support": [
                        {"input": "my card was charged twice and I am angry", "labels": ["billing", "complaint"]},
                        {"input": "where is my invoice?", "labels": ["billing"]},
                        {"input": "good morning", "labels": []},
                    ],
                },
            ]
        }
    )

    client_id: ClientId
    model: str | None = Field(
        None, description="The name of a model, as in GET /models. Default: the default model of the service."
    )
    support: list[Example] = Field(
        description="The labelled examples; none to begin a client that is taught later. A predict needs two classes, "
        "or one point of a regression."
    )
    mode: Literal["replace", "append"] = Field(
        "replace", description="`replace` the support set of the client or `append` to it."
    )
    ttl_s: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=10 * 365 * 86400,
        description="Seconds after which the client is forgotten. Default: never; in mode `append`: as before.",
    )
    use_label_names: bool | None = Field(
        None,
        strict=True,
        description="Whether labels that are words may be learned from, by models that can. They are used only where "
        "they fit the examples. Left out: true; when appending, as before.",
    )

    keep_queries_s: int | None = Field(
        None,
        strict=True,
        ge=0,
        description="Seconds to keep each query of the client, so that its prediction has an `id` for "
        "POST /clients/{client_id}/feedback; 0: not at all. Left out: as before, and for a new client not at all. The "
        "maximum is a setting of the service, by default seven days; only the latest queries are kept.",
    )
    keep_duplicates: bool = Field(
        False,
        strict=True,
        description="Whether an example that the client has is stored again when it is sent again. An `id` of its own "
        "makes it another example in any case.",
    )
    quality: bool = Field(
        False,
        strict=True,
        description="Whether the answer has `quality`, as in GET /clients/{client_id}/quality. It takes many adapts: "
        "left out by default, so that an adapt stays fast.",
    )


KeepQueries = Annotated[
    int,
    Field(
        description="Seconds that each query is kept for feedback. Absent if none is.",
        exclude_if=lambda given: not given,
    ),
]
PredictionId = Annotated[
    str | None,
    Field(
        description="For POST /clients/{client_id}/feedback. Absent unless the client keeps queries.",
        exclude_if=lambda given: given is None,
    ),
]
Warnings = Annotated[
    list[InputWarning],
    Field(
        description="Accepted inputs that may not be what was meant. Absent if there are none.",
        exclude_if=lambda given: not given,
    ),
]


Several = Annotated[
    bool,
    Field(
        description="Whether an example may have several labels, or none. Absent if not.",
        exclude_if=lambda given: not given,
    ),
]


class AdaptResponse(BaseModel):
    """An adapted model."""

    client_id: str
    model: str
    version: int = Field(description="The number of changes of this client.")
    classes: list[str] | list[int] | None = Field(description="null for regression.")
    several: Several = False
    examples: int = Field(description="Number of all examples of the client.")
    ids: list[str] = Field(description="The ids of the examples of the request, in its order.")
    state_bytes: int = Field(description="Size of the adapted state; 0 while there are too few examples.")
    names_used: Annotated[
        int | None,
        Field(
            description="Number of classes whose names were learned from. Absent for models that do not use names.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    expires_at: datetime | None
    keep_queries_s: KeepQueries = 0
    receipt: Annotated[
        Receipt | None,
        Field(description="What was removed. Absent if nothing was.", exclude_if=lambda given: given is None),
    ] = None
    quality: Annotated[
        Quality | None,
        Field(description="How good the client is, if it was asked.", exclude_if=lambda given: given is None),
    ] = None
    warnings: Warnings = []
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage: decode, adapt (with waiting) and store (not with an Idempotency-Key)."
    )


class PredictRequest(Body):
    """Ask the client's adapted model for predictions."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"client_id": "bob", "inputs": [-1, 1]},
                {"client_id": "bob", "inputs": [1], "explain": True},
                {"client_id": "bob", "inputs": [1], "interval": 0.9},
            ]
        }
    )

    client_id: ClientId
    inputs: list[RequestInput] = Field(min_length=1)
    top_k: int | None = Field(
        None,
        strict=True,
        ge=1,
        description="Number of classes in each answer, the most probable ones; null: all. Default: all of up to 20 "
        "classes, otherwise 5.",
    )
    version: int | None = Field(None, strict=True, ge=1, description="The version to ask. Default: the current one.")
    explain: bool = Field(
        False,
        strict=True,
        description="Whether each answer has an `explanation`: the examples that decided it, and the words, pixels or "
        "columns of the input. It takes many predicts; fewer inputs may be explained than answered.",
    )
    abstain: bool = Field(
        False,
        strict=True,
        description="Whether each answer says if it is `unknown`: probably of no class of the client. Classes only.",
    )
    coverage: float = Field(
        0.95,
        strict=True,
        ge=0.5,
        le=0.999,
        description="With `abstain`, the share of the queries of the client's classes that shall not be `unknown`. "
        "Where an answer may have several labels, the share of the queries of a label that shall get it; by default, "
        "all labels have one threshold that suits F1.",
    )
    min_probability: float | None = Field(
        None,
        strict=True,
        ge=0,
        le=1,
        description="Answers that are less probable are `unknown`. Implies `abstain`, with this threshold. Where an "
        "answer may have several labels, the threshold of all labels.",
    )
    interval: float | None = Field(
        None,
        strict=True,
        ge=0.5,
        le=0.99,
        description="Each answer has an `interval` that contains the right value with this probability. Regression "
        "only.",
    )


Why = Annotated[
    Explanation | None,
    Field(
        description="Why this is the answer. Absent unless it was asked for.", exclude_if=lambda given: given is None
    ),
]


class Classified(BaseModel):
    """The answer of a classifier to one input."""

    id: PredictionId = None
    label: str | int
    probability: float
    probabilities: dict[str, float] = Field(
        description="Probabilities by label, as a string. With `top_k`, the most probable classes come first."
    )

    unknown: Annotated[
        bool | None,
        Field(
            description="Whether the input is probably of no class of the client. Absent unless it was asked for.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    explanation: Why = None


class Labelled(BaseModel):
    """The answer to one input of a client whose examples may have several labels."""

    id: PredictionId = None
    labels: list[str] | list[int] = Field(description="The labels whose threshold is reached; there may be none.")
    probabilities: dict[str, float] = Field(
        description="The probability of each label by itself; they do not sum to 1. With `top_k`, the most probable "
        "labels come first."
    )


class Regressed(BaseModel):
    """The answer of a regressor to one input."""

    id: PredictionId = None
    value: float | list[float]
    interval: Annotated[
        tuple[float, float] | list[tuple[float, float]] | None,
        Field(
            description="The ends of an interval around the value, or around each of its numbers. Absent unless it was "
            "asked for.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    explanation: Why = None


class PredictResponse(BaseModel):
    """The answers, in the order of the inputs."""

    client_id: str
    model: str
    version: int
    inference: Literal["inductive", "transductive"] = Field(
        description="inductive: each answer depends on its own input. transductive: an answer may also depend on the "
        "other inputs of the request. Every model answers fewer inputs than classes inductively."
    )
    predictions: list[Classified] | list[Labelled] | list[Regressed]
    threshold: Annotated[
        Threshold | None,
        Field(
            description="Where `unknown` begins. Absent unless it was asked for.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    thresholds: Annotated[
        list[LabelThreshold] | None,
        Field(
            description="From which probability on an answer has a label. Absent unless it may have several.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    interval: Annotated[
        IntervalInfo | None,
        Field(
            description="What the intervals rest on. Absent unless they were asked for.",
            exclude_if=lambda given: given is None,
        ),
    ] = None
    warnings: Warnings = []
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage: decode and predict (with waiting and loading the state)."
    )


class ClientInfo(BaseModel):
    """An adapted client."""

    client_id: str
    model: str
    version: int
    classes: list[str] | list[int] | None
    several: Several = False
    examples: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    keep_queries_s: KeepQueries = 0


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
