"""The bodies of POST /adapt and of its answer, which other changes of a client have too."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service import absent
from service.api.schemas import (
    Body,
    ClientId,
    ExampleId,
    HalfLife,
    Keep,
    KeepQueries,
    LabelIn,
    Several,
    Unlabelled,
    Warnings,
)
from service.api.sent_labels import LabelsIn
from service.inputs.registry import RequestInput
from service.store.records import Receipt
from service.use_cases.quality import Quality


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
    keep: int | None = Field(
        None,
        strict=True,
        ge=0,
        description="The most examples of each class, or of a regression, that stay when the client learns more: an "
        "even sample of all that it ever had. The answer names those that left. 0: any number. Left out: when "
        "appending, as before, or else any number.",
        examples=[50],
    )
    half_life_s: float | None = Field(
        None,
        strict=True,
        ge=0,
        le=100 * 365 * 86400,
        allow_inf_nan=False,
        description="For data that drifts: an example counts for half as much as one of its class that came so many "
        "seconds later. For models with `weighted_examples`. With `keep`, the latest examples stay. 0: all count the "
        "same. Left out: when appending, as before, or else 0.",
        examples=[604800],
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


class AdaptResponse(BaseModel):
    """An adapted model."""

    client_id: str
    model: str
    version: int = Field(description="The number of changes of this client.")
    classes: list[str] | list[int] | None = Field(description="null for regression.")
    several: Several = False
    examples: int = Field(description="Number of all examples of the client.")
    unlabelled: Unlabelled = 0
    ids: list[str] = Field(description="The ids of the examples of the request, in its order.")
    state_bytes: int = Field(description="Size of the adapted state; 0 while there are too few examples.")
    names_used: Annotated[
        int | None,
        Field(
            description="Number of classes whose names were learned from. Absent for models that do not use names.",
            exclude_if=absent.if_none,
        ),
    ] = None
    expires_at: datetime | None
    keep_queries_s: KeepQueries = 0
    keep: Keep = 0
    half_life_s: HalfLife = 0
    dropped: Annotated[
        list[str],
        Field(
            description="The ids of examples that the client has no longer, or did not take, because it keeps only so "
            "many of each class. Earlier versions keep theirs. Absent if there are none.",
            exclude_if=absent.if_empty,
        ),
    ] = []
    receipt: Annotated[
        Receipt | None,
        Field(description="What was removed. Absent if nothing was.", exclude_if=absent.if_none),
    ] = None
    quality: Annotated[
        Quality | None,
        Field(description="How good the client is, if it was asked.", exclude_if=absent.if_none),
    ] = None
    warnings: Warnings = []
    timings_ms: dict[str, float] = Field(
        description="Milliseconds of each stage: decode, adapt (with waiting) and store (not with an Idempotency-Key)."
    )
