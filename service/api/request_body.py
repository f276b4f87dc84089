"""Routes that read a body. They check the key, then receive the body within its limits, then work."""

import re
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from service.api.bodies.uploads import PARSERS, ZIP, documented_uploads, media_type, parse_upload
from service.api.bodies.zip_folders import unpacked_bytes
from service.api.dependencies import KEY_SCHEMES, tenant
from service.api.known_query import check_beside_body
from service.api.memory_budget import Reservation
from service.api.parsing import JSON, SAFETENSORS, THREADS, Parse, parser_of
from service.api.preconditions import IF_MATCH
from service.api.receive import receive_body, while_connected
from service.api.schemas import CLIENT_ID, NAME_RULE
from service.api.tenant_shares import TenantShares
from service.errors import Unprocessable
from service.settings import Settings
from service.store.records import ClientKey

Body = TypeVar("Body", bound=BaseModel)

PARSING = 4
"""How much longer a byte takes that is parsed to numbers and examples than one that is copied."""
PARSED, DECODED = 500, 5000
"""Bytes that take as long to parse, and to decode and send on, as one short example takes from then on."""


class BodyRoute(APIRoute):
    """A route for a function from a request to a response. FastAPI only documents it.

    The tenant is in `request.state.tenant`. The function calls `read` for the body.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Called by FastAPI."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            settings: Settings = request.app.state.settings
            reservation: Reservation = request.state.reservation
            request.state.tenant = reservation.tenant = await tenant(request)
            request.state.parser = self.parser(request)
            request.state.body = await receive_body(request, settings.max_body_bytes, settings.receive_timeout_s)
            async with AsyncExitStack() as request.state.until_answered:
                return await while_connected(request, endpoint(request))

        return handle

    def parser(self, request: Request) -> Parse | None:
        """The parser of the body; None if it is parsed otherwise. Raises UnsupportedMediaType."""
        return parser_of(request.headers)


async def read(request: Request, model: type[Body]) -> Body:
    """The body of a request as `model`. Waits for the turn of its tenant, which ends with the answer.

    Raises:
        BadRequest, Unprocessable, RequestValidationError: The body is invalid.
        DeadlineExceeded: The turn did not come.
    """
    size = len(request.state.body)
    async with turn_to_parse(request, size):
        body = await _parsed(request, model)
    await take_turn(request, len(getattr(body, _list_of(model, request.app.state.settings)[0], ())), size)
    return body


def turn_to_parse(request: Request, size: int) -> AbstractAsyncContextManager[None]:
    """The turn of the tenant to parse a body of `size` bytes. Entering it raises DeadlineExceeded."""
    shares: TenantShares = request.app.state.shares
    return shares.turn(request.state.tenant, size // PARSED)


async def take_turn(request: Request, examples: int, size: int) -> None:
    """Wait for the turn of the tenant to work on a body of so many examples and bytes. It ends with the answer.

    Raises:
        DeadlineExceeded: It did not come.
    """
    shares: TenantShares = request.app.state.shares
    turn = shares.turn(request.state.tenant, max(examples, size // DECODED))
    await request.state.until_answered.enter_async_context(turn)


async def _parsed(request: Request, model: type[Body]) -> Body:
    settings: Settings = request.app.state.settings
    parse, raw = request.state.parser, request.state.body
    del request.state.body  # frees its memory once it is parsed
    field, limit = _list_of(model, settings)
    if parse is None:
        await _reserve(request, raw, limit)
    else:
        check_beside_body(request.query_params)

    def parsed() -> Body:
        fields = parse(raw, field, limit) if parse else parse_upload(request, raw, model, field, limit)
        return model.model_validate(fields)

    try:
        return await THREADS.run(parsed, PARSING * len(raw))
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


def _list_of(model: type[BaseModel], settings: Settings) -> tuple[str, int]:
    """The name of the list of inputs, and its maximum length."""
    if "support" in model.model_fields:
        return "support", settings.max_examples
    return "queries" if "queries" in model.model_fields else "inputs", settings.max_queries


async def _reserve(request: Request, raw: bytearray, limit: int) -> None:
    """Reserve memory for the files of a zip. Raises BadRequest, Overloaded, TooLarge, Unprocessable."""
    if PARSERS[media_type(request)] is PARSERS[ZIP]:
        settings: Settings = request.app.state.settings
        size = await THREADS.run(lambda: unpacked_bytes(raw, limit, settings.max_body_bytes), len(raw))
        request.state.reservation.take(size)


def client_of(request: Request) -> ClientKey:
    """The client in the path. Raises Unprocessable."""
    return ClientKey(request.state.tenant, named(request, "client_id"))


def named(request: Request, name: str) -> str:
    """The name of a client or an example in the path. Raises Unprocessable."""
    value: str = request.path_params[name]
    if not re.fullmatch(CLIENT_ID, value):
        raise Unprocessable(f"{name}: {NAME_RULE}.", field=name)
    return value


def documented_json(model: type[BaseModel], *names: str, changes: bool = True) -> dict[str, Any]:
    """The OpenAPI of a route that needs a key, has names in its path, and reads its body as `model` in JSON. One that
    changes the client of the path takes If-Match."""
    documents = documented(model)
    content = documents["requestBody"]["content"]
    documents["requestBody"]["content"] = {JSON: content[JSON]}
    schema = {"type": "string", "pattern": CLIENT_ID}
    parameters = [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]
    return documents | {"parameters": [*parameters, *([IF_MATCH] if changes else [])]}


def documented(model: type[BaseModel], more: dict[str, Any] | None = None) -> dict[str, Any]:
    """The OpenAPI of a route that needs a key and reads its body as `model`, or as `more`. FastAPI cannot derive it."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    binary = {
        "type": "string",
        "format": "binary",
        "description": "A safetensors file: the tensor `inputs` (n, ...), and the other fields as JSON in its "
        "metadata; `labels`, a list, in place of `support`.",
    }
    content = {JSON: {"schema": schema}, SAFETENSORS: {"schema": binary}} | documented_uploads() | (more or {})
    return {"requestBody": {"required": True, "content": content}, "security": security()}


def security() -> list[dict[str, list[str]]]:
    """The keys that a route takes, for OpenAPI."""
    return [{scheme.dependency.scheme_name: []} for scheme in KEY_SCHEMES]
