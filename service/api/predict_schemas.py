"""The bodies of POST /predict and of its answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service import absent
from service.api.schemas import Body, ClientId, Warnings
from service.inputs.registry import RequestInput
from service.use_cases.explanation import Explanation
from service.use_cases.intervals import IntervalInfo
from service.use_cases.judging import Threshold
from service.use_cases.label_sets import LabelThreshold

PredictionId = Annotated[
    str | None,
    Field(
        description="For POST /clients/{client_id}/feedback. Absent unless the client keeps queries.",
        exclude_if=absent.if_none,
    ),
]
Why = Annotated[
    Explanation | None,
    Field(description="Why this is the answer. Absent unless it was asked for.", exclude_if=absent.if_none),
]


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
            exclude_if=absent.if_none,
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
            exclude_if=absent.if_none,
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
            exclude_if=absent.if_none,
        ),
    ] = None
    thresholds: Annotated[
        list[LabelThreshold] | None,
        Field(
            description="From which probability on an answer has a label. Absent unless it may have several.",
            exclude_if=absent.if_none,
        ),
    ] = None
    interval: Annotated[
        IntervalInfo | None,
        Field(
            description="What the intervals rest on. Absent unless they were asked for.",
            exclude_if=absent.if_none,
        ),
    ] = None
    warnings: Warnings = []
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage: decode and predict (with waiting and loading the state)."
    )
