"""One handler: every failure as application/problem+json (RFC 9457), and its description for OpenAPI."""

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.schemas import AdaptRequest, PredictRequest, Problem
from service.errors import HandfulError, TooSlow, Unauthorized, Unprocessable

log = logging.getLogger(__name__)


DOCUMENTED: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (AdaptRequest, "validation"),
    (PredictRequest, "validation"),
    (Problem, "serialization"),
]
"""What routes read or raise outside of FastAPI's sight."""


def install(app: FastAPI) -> None:
    """Answer every failure of the app with a problem."""
    app.add_exception_handler(HandfulError, _handful)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    undocumented = app.openapi

    def openapi() -> dict[str, Any]:
        schema = undocumented()
        _, definitions = models_json_schema(DOCUMENTED, ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"] |= definitions["$defs"]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def responses(*errors: type[HandfulError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may fail so."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    by_status: dict[int, list[type[HandfulError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {"description": "; ".join(f"`{each.code}`: {each.title}" for each in group), "content": content}
        for status, group in by_status.items()
    }


def problem(error: HandfulError) -> Response:
    """A failure as an answer."""
    body = Problem(
        type=f"urn:handful:problem:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        field=error.field,
    )
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if error.status in (TooSlow.status, HandfulError.status):
        headers["Connection"] = "close"  # of a request the rest would go on coming; after a defect uvicorn hangs up
    if error.status == Unauthorized.status:
        headers["WWW-Authenticate"] = "Bearer"
    content = body.model_dump(exclude_none=True)
    return JSONResponse(content, error.status, headers, media_type="application/problem+json")


async def _handful(_: Request, error: Exception) -> Response:
    assert isinstance(error, HandfulError)
    return problem(error)


async def _validation(_: Request, error: Exception) -> Response:
    """The first mistake of a body, without the input itself, which may be large, binary or private."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = _path(first["loc"])
    what = "Input should be a JSON object" if first["type"] == "model_type" else first["msg"]
    return problem(Unprocessable(f"{field}: {what}.", field=field))


def _path(location: tuple[str | int, ...]) -> str:
    parts = location[1:] if len(location) > 1 else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in parts).lstrip(".")


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = f"{error.detail}: see /docs for what there is."
    body = Problem(type="about:blank", title=error.detail, status=error.status_code, detail=detail, code="http")
    content = body.model_dump(exclude_none=True)
    return JSONResponse(content, error.status_code, error.headers, media_type="application/problem+json")


async def _unexpected(request: Request, error: Exception) -> Response:
    """A defect: logged with where it happened, never with what was sent."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(HandfulError("An unexpected failure, which has been logged; nothing acknowledged is lost."))
