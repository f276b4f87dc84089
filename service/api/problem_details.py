"""Errors as application/problem+json (RFC 9457), and their description for OpenAPI."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from service.api.adapt_schemas import AdaptRequest
from service.api.admin_schemas import NewKeyRequest, QuotaRequest, RotateRequest
from service.api.client_schemas import (
    CopyRequest,
    EvaluateRequest,
    FeedbackRequest,
    MoveRequest,
    NewLabel,
    NewLabels,
    RollbackRequest,
    SuggestRequest,
    UnlabelledRequest,
)
from service.api.inference_protocol.schemas import InferenceError, InferRequest
from service.api.predict_schemas import PredictRequest
from service.api.schemas import CLIENT_ID, NAME_RULE, Problem
from service.errors import (
    BadRequest,
    Forbidden,
    HandfulError,
    HeadTooLarge,
    MissingScope,
    QuotaExceeded,
    RateExceeded,
    StorageExceeded,
    StoreFull,
    TooManyWrongKeys,
    TooSlow,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from service.store.records import Receipt

METHODS = ("GET", "POST", "PATCH", "DELETE")
MEDIA_TYPE = "application/problem+json"
INFERENCE_PROTOCOL = "/v2"
KEPT_HEADERS = ("retry-after", "connection", "www-authenticate")
UNEXPECTED = "An unexpected error. It is logged. Acknowledged data is safe."
CLIENT_CLOSED_REQUEST = 499
"""The status for metrics. Nobody reads this answer."""

DOCUMENTED: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (AdaptRequest, "validation"),
    (PredictRequest, "validation"),
    (NewLabel, "validation"),
    (NewLabels, "validation"),
    (RollbackRequest, "validation"),
    (MoveRequest, "validation"),
    (CopyRequest, "validation"),
    (EvaluateRequest, "validation"),
    (NewKeyRequest, "validation"),
    (RotateRequest, "validation"),
    (QuotaRequest, "validation"),
    (FeedbackRequest, "validation"),
    (SuggestRequest, "validation"),
    (UnlabelledRequest, "validation"),
    (InferRequest, "validation"),
    (InferenceError, "serialization"),
    (Problem, "serialization"),
]
"""Schemas that are missing in the signatures of the routes."""


MISTAKES = {
    "model_type": "takes a JSON object",
    "missing": "it is missing",
    "extra_forbidden": "there is no such field. GET /docs lists the fields of each call",
    "too_short": "it is empty. Send at least one",
}
"""What a request did wrong, by the type of pydantic's error."""
ANYWHERE: tuple[type[HandfulError], ...] = (BadRequest, Forbidden, HeadTooLarge)
"""Errors that every route may answer with."""
WITH_KEY: tuple[type[HandfulError], ...] = (MissingScope, TooManyWrongKeys, RateExceeded, Unavailable)
"""Errors that every route may answer with that needs a key."""
STORING: tuple[type[HandfulError], ...] = (QuotaExceeded, StorageExceeded)
"""Errors that every route may answer with that stores something."""


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""
    app.add_exception_handler(HandfulError, _handful)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    undocumented = app.openapi

    def openapi() -> dict[str, Any]:
        schema = undocumented()
        _, definitions = models_json_schema(DOCUMENTED, ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"] |= definitions["$defs"]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents


def responses(*errors: type[HandfulError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors. Errors of every route, and of every
    route that needs a key or stores something, are added."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    by_status: dict[int, list[type[HandfulError]]] = {}
    keyed = WITH_KEY if Unauthorized in errors else ()
    storing = STORING if StoreFull in errors else ()
    for error in dict.fromkeys((*errors, *keyed, *storing, *ANYWHERE)):
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {"description": "; ".join(f"`{each.code}`: {each.title}" for each in group), "content": content}
        for status, group in by_status.items()
    }


def described(error: HandfulError) -> dict[str, Any]:
    """An error as a problem."""
    body = Problem(
        type=f"urn:handful:problem:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        field=error.field,
        receipt=None if error.receipt is None else Receipt.model_validate(error.receipt),
    )
    return body.model_dump(mode="json", exclude_none=True)


def problem(error: HandfulError) -> Response:
    """The response for an error."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if error.status in (TooSlow.status, HandfulError.status):
        headers["Connection"] = (
            "close"  # a slow body is not read to its end; after an unexpected error uvicorn closes too
        )
    if error.status == Unauthorized.status:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(described(error), error.status, headers, media_type=MEDIA_TYPE)


def raw_response(error: HandfulError) -> bytes:
    """An HTTP/1.1 response that closes the connection, for errors before a request reaches the app."""
    response = problem(error)
    head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode()
    headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
    return head + headers + b"connection: close\r\n\r\n" + bytes(response.body)


def answer_to(scope: Scope, error: HandfulError) -> Response:
    """The response for an error: a problem, or the body that the Open Inference Protocol defines."""
    response = problem(error)
    if not is_inference_protocol(scope):
        return response
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return JSONResponse({"error": error.detail}, error.status, headers)


def is_inference_protocol(scope: Scope) -> bool:
    """Whether a path belongs to the Open Inference Protocol."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path == INFERENCE_PROTOCOL or path.startswith(f"{INFERENCE_PROTOCOL}/")


def error_responses(
    *errors: type[HandfulError], statuses: Mapping[int | str, dict[str, Any]] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route of the Open Inference Protocol that may answer with these errors or `statuses`."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/InferenceError"}}}
    found = responses(*errors) if statuses is None else {each: statuses[each] for each in statuses if each != 200}
    return {status: described | {"content": content} for status, described in found.items()}


async def _handful(request: Request, error: Exception) -> Response:
    assert isinstance(error, HandfulError)
    return answer_to(request.scope, error)


async def _validation(request: Request, error: Exception) -> Response:
    """Name the first mistake of a request. The input is omitted: it may be large, binary or private."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = _path(first["loc"])
    return answer_to(request.scope, Unprocessable(f"{field}: {_mistake(first)}.", field=field))


def _mistake(error: dict[str, Any]) -> str:
    """What pydantic found, in words for those who know HTTP and not Python."""
    if str(error.get("ctx", {}).get("pattern", "")).startswith(CLIENT_ID):
        return NAME_RULE
    message: str = error["msg"]
    return MISTAKES.get(error["type"], message)


def _path(location: tuple[str | int, ...]) -> str:
    parts = location[1:] if len(location) > 1 else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in parts).lstrip(".")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = f"{error.detail}. GET /docs lists all calls."
    if is_inference_protocol(request.scope):
        return JSONResponse({"error": detail}, error.status_code)
    body = Problem(type="about:blank", title=error.detail, status=error.status_code, detail=detail, code="http")
    wrong_method = error.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    headers = {"Allow": ", ".join(_methods(request))} if wrong_method else error.headers
    return JSONResponse(body.model_dump(exclude_none=True), error.status_code, headers, media_type=MEDIA_TYPE)


def _methods(request: Request) -> list[str]:
    """The methods of a path. Each may have its own route."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    found = {method for method, scope in scopes.items() for route in request.app.routes if _takes(route, scope)}
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _takes(route: BaseRoute, scope: Scope) -> bool:
    return route.matches(scope)[0] is Match.FULL


async def _disconnected(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)
