"""The Open Inference Protocol, version 2."""

from importlib.metadata import version
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service import errors
from service.api.dependencies import Models
from service.api.inference_protocol.messages import BINARY, HEADER, Inference, answered, parse
from service.api.inference_protocol.metadata import EXTENSIONS, metadata_of
from service.api.inference_protocol.schemas import (
    InferRequest,
    InferResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
)
from service.api.inference_protocol.tensors import outputs_of
from service.api.parsing import JSON, THREADS, Parse, check_encoding
from service.api.predict_schemas import PredictRequest
from service.api.problem_details import error_responses
from service.api.request_body import BodyRoute, security, take_turn, turn_to_parse
from service.api.routes.predict import FAILURES as PREDICT_FAILURES
from service.api.routes.predict import answer
from service.cards import Card, Catalogue
from service.settings import Settings
from service.store.records import Record

TAG = "open inference protocol"
router = APIRouter(prefix="/v2", tags=[TAG])
Version = Annotated[str, Path(pattern="^[0-9]{1,15}$", description="The version of the client.")]


class InferRoute(BodyRoute):
    """Takes JSON with the bytes of tensors after it, of any content type."""

    def parser(self, request: Request) -> Parse | None:
        """The route parses its body itself."""
        check_encoding(request.headers)
        return None


bodies = APIRouter(prefix="/v2", tags=[TAG], route_class=InferRoute)


@router.get("", operation_id="v2_server_metadata", responses=error_responses())
async def server_metadata() -> ServerMetadata:
    """The server and its extensions."""
    return ServerMetadata(name="handful", version=version("handful"), extensions=EXTENSIONS)


@router.get("/health/live", operation_id="v2_live", responses=error_responses())
async def live() -> Live:
    """The process answers."""
    return Live(live=True)


@router.get("/health/ready", operation_id="v2_ready", responses=error_responses(errors.Unavailable))
async def ready(request: Request) -> Ready:
    """The service works, as /readyz finds."""
    await request.app.state.readiness.check()
    return Ready(ready=True)


@router.get("/models/{model}", operation_id="v2_model", responses=error_responses(errors.UnknownModel))
async def model_metadata(model: str, models: Models) -> ModelMetadata:
    """The tensors of a model."""
    return metadata_of(models[model])


@router.get(
    "/models/{model}/versions/{model_version}",
    operation_id="v2_model_version",
    responses=error_responses(errors.UnknownModel, errors.Unprocessable),
)
async def model_version_metadata(model: str, model_version: Version, models: Models) -> ModelMetadata:
    """The tensors of a model, which are the same for all versions."""
    return metadata_of(models[model])


@router.get("/models/{model}/ready", operation_id="v2_model_ready", responses=error_responses(errors.UnknownModel))
async def model_ready(model: str, models: Models) -> ModelReady:
    """Whether a model is served. Others are 404."""
    return ModelReady(name=models[model].name, ready=True)


@router.get(
    "/models/{model}/versions/{model_version}/ready",
    operation_id="v2_model_version_ready",
    responses=error_responses(errors.UnknownModel, errors.Unprocessable),
)
async def model_version_ready(model: str, model_version: Version, models: Models) -> ModelReady:
    """The same for a version."""
    return ModelReady(name=models[model].name, ready=True)


def _documented(*names: str) -> dict[str, Any]:
    """The OpenAPI of an infer."""
    binary = {"type": "string", "format": "binary", "description": "JSON, and after it the bytes of the tensor."}
    schema = {"$ref": f"#/components/schemas/{InferRequest.__name__}"}
    header = {"name": HEADER, "in": "header", "required": False, "schema": {"type": "integer", "minimum": 0}}
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}, BINARY: {"schema": binary}}},
        "parameters": [*parameters, header | {"description": "The bytes of the JSON, if a tensor follows it."}],
        "security": security(),
    }


RESPONSES = error_responses(statuses=PREDICT_FAILURES) | {
    200: {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
}


@bodies.post(
    "/models/{model}/infer",
    operation_id="v2_infer",
    response_model=InferResponse,
    responses=RESPONSES,
    openapi_extra=_documented("model"),
)
async def infer(request: Request) -> Response:
    """Answer inputs from a client's adapted model, the client being in `parameters`."""
    return await _infer(request, {})


@bodies.post(
    "/models/{model}/versions/{model_version}/infer",
    operation_id="v2_infer_version",
    response_model=InferResponse,
    responses=RESPONSES,
    openapi_extra=_documented("model", "model_version"),
)
async def infer_version(request: Request) -> Response:
    """The same from a version of the client."""
    number: str = request.path_params["model_version"]
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise errors.Unprocessable("model_version: takes the version of the client, a number.", field="model_version")
    return await _infer(request, {"version": int(number)})


async def _infer(request: Request, named: dict[str, Any]) -> Response:
    settings: Settings = request.app.state.settings
    catalogue: Catalogue = request.app.state.catalogue
    card, raw = catalogue[request.path_params["model"]], request.state.body
    async with turn_to_parse(request, len(raw)):
        inference = await THREADS.run(lambda: _parsed(raw, request, settings), len(raw))
    body = _validated(PredictRequest, inference.options() | named)
    await take_turn(request, len(body.inputs), len(raw))

    def admit(record: Record, _: Card) -> None:
        if record.model != card.name:
            raise errors.Conflict(f"The client's model is {record.model!r}, not {card.name!r}. Name that in the path.")

    found = orjson.loads((await answer(request, body, admit)).body)
    return answered(inference, found["model"], found["version"], outputs_of(found["predictions"]))


def _parsed(raw: bytearray, request: Request, settings: Settings) -> Inference:
    try:
        return parse(raw, request.headers, settings.max_queries)
    except ValidationError as error:
        raise _invalid(error) from None


def _validated(model: type[PredictRequest], fields: dict[str, Any]) -> PredictRequest:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])
