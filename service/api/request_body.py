"""Bodies of requests, as JSON or as a safetensors file, where numbers cost a fraction; and of answers, as JSON."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from service.api.dependencies import KEY_SCHEMES
from service.api.parsing import JSON, SAFETENSORS, parser_of
from service.inputs import executor
from service.settings import Settings

Body = TypeVar("Body", bound=BaseModel)


class Direct(APIRoute):
    """A route of a function that takes the request and returns the response: FastAPI need only document it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Called by FastAPI."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


async def read(request: Request, model: type[Body]) -> Body:
    """A request's body as `model`. Raises BadRequest, UnsupportedMediaType, Unprocessable, RequestValidationError."""
    settings: Settings = request.app.state.settings
    teaches = "support" in model.model_fields
    listed = ("support", settings.max_examples) if teaches else ("inputs", settings.max_queries)
    parse, raw = parser_of(request.headers), await request.body()
    try:
        return await executor.run(lambda: model.model_validate(parse(raw, *listed)), len(raw))
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
