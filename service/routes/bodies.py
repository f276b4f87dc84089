"""Bodies of requests, as JSON or as a safetensors file, where numbers cost a thirtieth; and of answers, as JSON."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from safetensors import SafetensorError
from safetensors.numpy import load

from service import offload
from service.errors import BadRequest, UnsupportedMediaType
from service.routes.dependencies import KEY_SCHEMES

Body = TypeVar("Body", bound=BaseModel)

JSON, SAFETENSORS = "application/json", "application/safetensors"


class Direct(APIRoute):
    """A route of a function that takes the request and returns the response: FastAPI need only document it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Called by FastAPI."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


async def read(request: Request, model: type[Body]) -> Body:
    """A request's body as `model`. Raises BadRequest, UnsupportedMediaType, RequestValidationError."""
    read_fields, raw = _reader(request), await request.body()
    try:
        return await offload.run(lambda: model.model_validate(read_fields(raw)), len(raw))
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


def written(answer: BaseModel) -> Response:
    """An answer as JSON."""
    return Response(answer.model_dump_json(), media_type=JSON)


def documented(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI of a route that asks for a key and reads its body as `model`, which FastAPI does not see."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    binary = {
        "type": "string",
        "format": "binary",
        "description": "A safetensors file: the tensor `inputs` (n, ...), and the other fields as JSON in its header; "
        "`labels`, a list, in place of `support`.",
    }
    content = {JSON: {"schema": schema}, SAFETENSORS: {"schema": binary}}
    security: list[dict[str, list[str]]] = [{scheme.dependency.scheme_name: []} for scheme in KEY_SCHEMES]
    return {"requestBody": {"required": True, "content": content}, "security": security}


def _reader(request: Request) -> Callable[[bytes], Any]:
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind == SAFETENSORS:
        return _from_safetensors
    if kind == JSON or kind.endswith("+json"):
        return _from_json
    raise UnsupportedMediaType(f"Send {JSON} or {SAFETENSORS}, not {kind[:80]}.")


def _from_json(body: bytes) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)
    try:
        return from_json(body)  # slower; takes NaN and the like, so that what is wrong with them can be told
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None


def _from_safetensors(body: bytes) -> dict[str, Any]:
    """The fields that the same request has as JSON; each input is a numpy array."""
    try:
        inputs = list(load(body)["inputs"])
        header = from_json(body[8 : 8 + int.from_bytes(body[:8], "little")]).get("__metadata__", {})
        fields = {name: _plain(name, text) for name, text in header.items()}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"The body is not a safetensors file with a tensor `inputs`: {error}.") from None
    if "labels" not in fields:
        return fields | {"inputs": inputs}
    labels = fields.pop("labels")
    if not isinstance(labels, list) or len(labels) != len(inputs):
        raise BadRequest(f"The header's `labels` is not a list of {len(inputs)}, as many as there are inputs.")
    support = [{"input": one, "label": label} for one, label in zip(inputs, labels, strict=True)]
    return fields | {"support": support}


def _plain(name: str, text: str) -> Any:
    """Names are text; all else is JSON."""
    return text if name in ("client_id", "model", "mode") else from_json(text)
