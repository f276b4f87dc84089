"""The examples and the classes of a client."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service import errors
from service.api.adapt_schemas import AdaptResponse
from service.api.answers import adapted_response
from service.api.client_failures import BODY, CHANGES, READS
from service.api.client_schemas import ExampleInfo, ExamplePage, NewLabel, NewLabels
from service.api.dependencies import KEY_SCHEMES, Cases, Client, use_cases
from service.api.known_query import DECLARED_QUERY
from service.api.preconditions import IF_MATCH, if_match
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, client_of, documented_json, named, read
from service.api.schemas import CLIENT_ID
from service.api.sent_labels import sent_label
from service.use_cases.editing import Shown, Wanted

router = APIRouter(prefix="/clients/{client_id}", tags=["examples"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])
bodies = APIRouter(prefix="/clients/{client_id}", tags=["examples"], route_class=BodyRoute)
"""Routes that read a body."""

LABEL_IN_PATH = documented_json(NewLabel, "client_id")
LABEL_IN_PATH["parameters"].append({"name": "label", "in": "path", "required": True, "schema": {"type": "string"}})

Name = Annotated[str, Path(pattern=CLIENT_ID, description="The id of the example.")]
Inputs = Annotated[
    bool,
    Query(description="Whether to show the inputs, as they were decoded: texts, numbers, rows or PNG files."),
]
KeepHistory = Annotated[
    bool,
    Query(description="Whether earlier versions keep what is removed. Otherwise those that had it are gone."),
]
Label = Annotated[str, Path(description="The label of the class; an integer in decimal.")]


@router.get(
    "/examples",
    operation_id="list_examples",
    responses=responses(*READS, errors.UnknownClass, errors.UnknownVersion, errors.VersionGone),
)
async def list_examples(
    response: Response,
    client: Client,
    cases: Cases,
    label: Annotated[str | None, Query(description="Only examples of this class.")] = None,
    cursor: Annotated[int, Query(ge=0, le=2**53, description="The `next_cursor` of the previous page.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    inputs: Inputs = False,
    version: Annotated[int | None, Query(ge=1, le=2**53, description="Default: the current version.")] = None,
) -> ExamplePage:
    """The examples of a client, in the order in which they were stored. With inputs, a page may be shorter than
    `limit`."""
    page = await cases.editing.page(client, Wanted(cursor - 1, limit, label, version, inputs))
    response.headers["ETag"] = page.record.etag
    following = None if page.cursor is None else page.cursor + 1
    shown = [_info(each, several=page.record.several) for each in page.examples]
    return ExamplePage(version=page.record.version, examples=shown, next_cursor=following)


@router.get("/examples/{example}", operation_id="get_example", responses=responses(*READS, errors.UnknownExample))
async def get_example(
    response: Response, client: Client, cases: Cases, example: Name, inputs: Inputs = False
) -> ExampleInfo:
    """One example of a client."""
    record, shown = await cases.editing.example(client, example, inputs=inputs)
    response.headers["ETag"] = record.etag
    return _info(shown, several=record.several)


@router.delete(
    "/examples/{example}",
    operation_id="remove_example",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, errors.UnknownExample),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def remove_example(
    request: Request, client: Client, cases: Cases, example: Name, keep_history: KeepHistory = False
) -> Response:
    """Remove an example, as if it had never been sent. The answer has a receipt."""
    removed = await cases.editing.remove(client, example, if_match(request), keep_history=keep_history)
    return await adapted_response(removed)


@router.delete(
    "/classes/{label:path}",
    operation_id="remove_class",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, errors.UnknownClass),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def remove_class(
    request: Request, client: Client, cases: Cases, label: Label, keep_history: KeepHistory = False
) -> Response:
    """Remove a class and all its examples. The answer has a receipt."""
    removed = await cases.editing.remove_class(client, label, if_match(request), keep_history=keep_history)
    return await adapted_response(removed)


@bodies.patch(
    "/examples/{example}",
    operation_id="relabel_example",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, *BODY, errors.BadRequest, errors.UnknownExample),
    openapi_extra=documented_json(NewLabels, "client_id", "example"),
)
async def relabel_example(request: Request) -> Response:
    """Give an example another label, or several."""
    cases, client, name = await use_cases(request), client_of(request), named(request, "example")
    expected, body = if_match(request), await read(request, NewLabels)
    label = sent_label(body.label, body.labels, body.model_fields_set)
    return await adapted_response(await cases.editing.relabel(client, name, label, expected))


@bodies.patch(
    "/classes/{label:path}",
    operation_id="rename_class",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, *BODY, errors.BadRequest, errors.UnknownClass),
    openapi_extra=LABEL_IN_PATH,
)
async def rename_class(request: Request) -> Response:
    """Give a class another name."""
    cases, client, label = await use_cases(request), client_of(request), request.path_params["label"]
    expected, body = if_match(request), await read(request, NewLabel)
    return await adapted_response(await cases.editing.rename(client, label, body.label, expected))


def _info(shown: Shown, *, several: bool) -> ExampleInfo:
    example, label, raw = shown
    number = label[0] if isinstance(label, list) and len(label) == 1 else label
    known = {"id": example.id, "created_at": example.created_at}
    known |= {"labels": label} if several else {"label": number}
    return ExampleInfo(**known) if raw is None else ExampleInfo(**known, input=raw)
