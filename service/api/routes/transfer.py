"""A client as a file: export and import."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service import errors
from service.api.adapt_schemas import AdaptResponse
from service.api.answers import adapted_response
from service.api.client_failures import BODY, CHANGES, PAST, READS
from service.api.dependencies import KEY_SCHEMES, Cases, Client, use_cases
from service.api.known_query import DECLARED_QUERY, check_query
from service.api.parsing import SAFETENSORS, THREADS, Parse, check_encoding, parse_client_file
from service.api.preconditions import IF_MATCH, if_match
from service.api.problem_details import responses
from service.api.receive import while_connected
from service.api.request_body import BodyRoute, client_of, security, take_turn, turn_to_parse
from service.api.schemas import CLIENT_ID
from service.errors import Unprocessable, UnsupportedMediaType
from service.settings import Settings
from service.use_cases.client_file import from_parts

router = APIRouter(prefix="/clients/{client_id}", tags=["files"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])


class ImportRoute(BodyRoute):
    """Takes the file of a client."""

    def parser(self, request: Request) -> Parse | None:
        """The route parses its body itself."""
        check_encoding(request.headers)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != SAFETENSORS:
            raise UnsupportedMediaType(f"Send {SAFETENSORS}, not {kind[:80] or 'an empty content type'}.")
        return None


bodies = APIRouter(prefix="/clients/{client_id}", tags=["files"], route_class=ImportRoute)
"""Routes that read a body."""

ONNX = "application/octet-stream"
"""ONNX files have no media type of their own."""
BINARY = {SAFETENSORS: {"schema": {"type": "string", "format": "binary"}}}
MODES = ("replace", "append")


@router.get(
    "/export",
    operation_id="export_client",
    response_class=Response,
    responses=responses(*READS, errors.UnknownVersion, errors.VersionGone, errors.AnswerTooLarge, errors.Overloaded)
    | {200: {"description": "A safetensors file.", "content": BINARY}},
)
async def export(
    request: Request,
    client: Client,
    cases: Cases,
    version: Annotated[int | None, Query(ge=1, le=2**53, description="Default: the current version.")] = None,
) -> Response:
    """The examples of a client with their ids and labels, as one safetensors file."""
    held = request.state.reservation

    def admit(size: int) -> None:
        held.release()  # what was taken for an earlier reading of the client
        held.check_answer(size)
        held.add(size)

    record, file = await cases.transfer.export(client, version, admit)
    headers = {"ETag": record.etag, "Content-Disposition": f'attachment; filename="{record.client_id}.safetensors"'}
    return Response(file, media_type=SAFETENSORS, headers=headers)


@router.get(
    "/model.onnx",
    operation_id="export_onnx",
    response_class=Response,
    responses=responses(
        *READS,
        *PAST,
        errors.TooFewExamples,
        errors.AnswerTooLarge,
        errors.Contended,
        errors.TooCostly,
        errors.Busy,
        errors.NotExportable,
        errors.Overloaded,
        errors.DeadlineExceeded,
    )
    | {200: {"description": "An ONNX file.", "content": {ONNX: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def export_onnx(
    request: Request,
    client: Client,
    cases: Cases,
    version: Annotated[int | None, Query(ge=1, le=2**53, description="Default: the current version.")] = None,
) -> Response:
    """The adapted network of a client, as one ONNX file for any ONNX runtime.

    It has the encoder and the head, or the client's whole network, and answers with the probabilities or values of
    /predict. Its metadata has the labels and says how inputs are prepared. This takes seconds.
    """
    await request.receive()  # the end of an empty body; what comes next is that the client leaves
    admit = request.state.reservation.check_answer
    record, file = await while_connected(request, cases.networks.export(client, version, admit))
    request.state.reservation.take(len(file))
    headers = {"ETag": record.etag, "Content-Disposition": f'attachment; filename="{record.client_id}.onnx"'}
    return Response(file, media_type=ONNX, headers=headers)


def _parameters() -> Sequence[dict[str, Any]]:
    client = {"name": "client_id", "in": "path", "required": True, "schema": {"type": "string", "pattern": CLIENT_ID}}
    mode = {
        "name": "mode",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "enum": list(MODES), "default": MODES[0]},
        "description": "`replace` the client, or `append` to its examples. Those with the same ids are stored once.",
    }
    return client, mode, IF_MATCH


@bodies.post(
    "/import",
    operation_id="import_client",
    response_model=AdaptResponse,
    responses=responses(*CHANGES, *BODY, errors.UnknownModel, errors.TooCostly),
    openapi_extra={
        "requestBody": {"required": True, "content": BINARY},
        "security": security(),
        "parameters": _parameters(),
    },
)
async def load(request: Request) -> Response:
    """Create or replace a client from a file that GET /clients/{client_id}/export has made, here or elsewhere."""
    cases, client, expected, mode = await use_cases(request), client_of(request), if_match(request), _mode(request)
    settings: Settings = request.app.state.settings
    body = request.state.body
    del request.state.body  # frees its memory once it is parsed
    size = len(body)
    async with turn_to_parse(request, size):
        file = await THREADS.run(lambda: from_parts(*parse_client_file(body, settings.max_examples)), size)
    await take_turn(request, len(file.labels), size)
    return await adapted_response(await cases.transfer.load(client, file, append=mode == "append", expected=expected))


def _mode(request: Request) -> str:
    check_query(request.query_params, ("mode",))
    mode = request.query_params.get("mode", MODES[0])
    if mode not in MODES:
        raise Unprocessable(f"mode: takes {' or '.join(MODES)}.", field="mode")
    return mode
