"""The bodies of requests and answers on the examples and versions of a client."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service import absent
from service.api.schemas import CLIENT_ID, Body, ClientId, ExampleId, LabelIn, Warnings
from service.api.sent_labels import LabelsIn
from service.errors import Unprocessable
from service.inputs.registry import RequestInput
from service.store.records import Receipt


class NewLabels(Body):
    """Another label for an example, or several."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label": "refund"}]})

    label: LabelIn = None
    labels: LabelsIn | None = Field(None, description="In place of `label`: several classes, or none of them.")


class NewLabel(Body):
    """Another name for a class."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label": "refund"}]})

    label: LabelIn


class FeedbackRequest(NewLabels):
    """The right label of a recent query, or several."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "9f86d081884c-0", "label": "refund"}]})

    id: str = Field(pattern=CLIENT_ID, description="The `id` of the prediction.")


SMALL_DRAWING = (
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQAAAAA3iMLMAAAAHUlEQVR42mP8z8DEwMD0hYGJAS/6y8HEwMD4nwEAYz"
    "AEFmoIKYIAAAAASUVORK5CYII="
)
"""A PNG of 16 x 16 pixels in base64."""


class NamedInputs(Body):
    """Inputs without labels, each with a name if there are any."""

    inputs: list[RequestInput] = Field(min_length=1)
    ids: list[ExampleId] | None = None

    def names(self) -> list[str | None]:
        """The name of each input. Raises Unprocessable."""
        names: list[str | None] = [None] * len(self.inputs) if self.ids is None else [*self.ids]
        if len(names) != len(self.inputs):
            raise Unprocessable(f"ids: {len(names)} for {len(self.inputs)} inputs. Send one for each.", field="ids")
        return names


class UnlabelledRequest(NamedInputs):
    """Inputs without labels, which the client shall learn from."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [SMALL_DRAWING], "ids": ["drawing-17"]}]})

    ids: list[ExampleId] | None = Field(None, description="Names each of them. Default: a digest of the input.")


class SuggestRequest(NamedInputs):
    """Inputs without labels, to choose from."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": [-2, -1, 0, 1, 2], "k": 2}]})

    k: int = Field(10, strict=True, ge=1, le=1000, description="How many to choose.")
    ids: list[ExampleId] | None = Field(None, description="A name for each input, which the answer repeats.")


class Suggestion(BaseModel):
    """An input that is worth a label."""

    index: int = Field(description="The place of the input in the request.")
    id: Annotated[str | None, Field(description="Its id, if ids were sent.", exclude_if=absent.if_none)] = None
    score: float = Field(
        description="The share of the uncertainty about all inputs that it stands for, beside those before it."
    )
    label: Annotated[str | int | None, Field(description="The predicted label.", exclude_if=absent.if_none)] = None
    probability: Annotated[float | None, Field(description="Of that label.", exclude_if=absent.if_none)] = None
    value: Annotated[
        float | list[float] | None, Field(description="The predicted value, for regression.", exclude_if=absent.if_none)
    ] = None


class SuggestResponse(BaseModel):
    """The inputs that are most worth a label, the most worthy first. They have answers once the client can predict."""

    client_id: str
    model: str
    version: int
    suggestions: list[Suggestion]
    warnings: Warnings = []


class ExampleInfo(BaseModel):
    """An example of a client."""

    id: str = Field(examples=["photo-17"])
    label: Annotated[
        str | int | float | list[float] | None,
        Field(
            description="Absent where an example may have several.",
            examples=["refund"],
            exclude_if=absent.if_none,
        ),
    ] = None
    labels: Annotated[
        list[str] | list[int] | None,
        Field(
            description="Absent unless an example may have several.",
            examples=[["refund", "urgent"]],
            exclude_if=absent.if_none,
        ),
    ] = None
    created_at: datetime
    input: Annotated[
        Any,
        Field(description="The decoded input, if it was asked for.", exclude_if=absent.if_none),
    ] = None


class ExamplePage(BaseModel):
    """A page of examples."""

    version: int
    examples: list[ExampleInfo]
    next_cursor: int | None = Field(description="The `cursor` of the next page; null at the end.")


class Query(Body):
    """A labelled query."""

    input: RequestInput
    label: LabelIn | None = Field(None, description="The right label; null for a query of no class of the client.")
    labels: LabelsIn | None = Field(None, description="In place of `label`: several classes, or none of them.")


class EvaluateRequest(Body):
    """Compare the answers to queries with their labels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"queries": [{"input": 1, "label": 0.84}]}]})

    queries: list[Query] = Field(min_length=1)
    version: int | None = Field(None, strict=True, ge=1, description="The version to ask. Default: the current one.")


class RollbackRequest(Body):
    """The version to go back to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 3}]})

    version: int = Field(strict=True, ge=1)


class MoveRequest(Body):
    """The model to move to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "glyphs-maml"}]})

    model: str = Field(description="The name of a model, as in GET /models.")


class CopyRequest(Body):
    """The client to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"client_id": "alice-trial"}]})

    client_id: ClientId
    version: int | None = Field(None, strict=True, ge=1, description="The version to copy. Default: the current one.")


class Readapted(BaseModel):
    """What adapting again has done."""

    client_id: str
    model: str
    version: int
    readapted: bool = Field(description="Whether the state was made again.")


class VersionInfo(BaseModel):
    """A version of a client; of one that a removal took, only the receipt."""

    version: int
    change: str | None = Field(None, description="What made it: replace, append, relabel, rename, remove, ...")
    model: str | None = None
    classes: list[str] | list[int] | None = None
    examples: int | None = None
    created_at: datetime | None = None
    receipt: Receipt | None = Field(None, description="What this version removed.")
    gone: Receipt | None = Field(None, description="The removal that took this version.")


class VersionList(BaseModel):
    """The versions of a client, the latest first."""

    versions: list[VersionInfo]
