"""POST /predict."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.answers import AnswerShape, shape_of, with_ids, written
from service.api.bodies.uploads import documented_query, media_type
from service.api.dependencies import use_cases
from service.api.lines import NDJSON
from service.api.predict_answer import beside_of, check_asked, response_of
from service.api.predict_schemas import PredictRequest, PredictResponse
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, documented, read
from service.api.streaming import stream_inputs, stream_lines, wants_lines
from service.cards import Card
from service.settings import Settings
from service.store.records import ClientKey, Record
from service.use_cases.explaining import explanation_bytes
from service.use_cases.predicting import Admit, anything

NDJSON_BODY = {NDJSON: {"schema": {"type": "string", "description": "Inputs in JSON, one a line."}}}
LINES: dict[int | str, dict[str, Any]] = {200: {"content": {NDJSON: {"schema": {"type": "string"}}}}}
"""The answer with `Accept: application/x-ndjson`."""


class PredictRoute(BodyRoute):
    """Answers a body of lines while it arrives."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Called by FastAPI."""
        handle = super().get_route_handler()

        async def stream_or_handle(request: Request) -> Response:
            return await (stream_lines(request, answer) if media_type(request) == NDJSON else handle(request))

        return stream_or_handle


router = APIRouter(tags=["clients"], route_class=PredictRoute)

FAILURES = responses(
    errors.BadRequest,
    errors.Unauthorized,
    errors.UnknownClient,
    errors.UnknownVersion,
    errors.Conflict,
    errors.TooFewExamples,
    errors.VersionGone,
    errors.Contended,
    errors.CorruptRecord,
    errors.TooSlow,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Unprocessable,
    errors.TooCostly,
    errors.AnswerTooLarge,
    errors.Diverged,
    errors.Busy,
    errors.Unavailable,
    errors.Overloaded,
    errors.DeadlineExceeded,
)


@router.post(
    "/predict",
    operation_id="predict",
    response_model=PredictResponse,
    responses=FAILURES | LINES,
    openapi_extra=documented(PredictRequest, NDJSON_BODY) | {"parameters": documented_query(PredictRequest, "inputs")},
)
async def predict(request: Request) -> Response:
    """Answer inputs from the client's adapted model.

    With `Accept: application/x-ndjson`, each answer is a line. A body of `application/x-ndjson` has an input a line,
    may be of any length, and is answered while it arrives.
    """
    body = await read(request, PredictRequest)
    return await (stream_inputs(request, body, answer) if wants_lines(request) else answer(request, body))


async def answer(request: Request, body: PredictRequest, admit_version: Admit = anything) -> Response:
    """Answer a predict in JSON. `admit_version` may refuse the version that would answer. Raises HandfulError."""
    settings: Settings = request.app.state.settings
    cases = await use_cases(request)
    shape = AnswerShape(0, 0, 0)

    def admit(record: Record, card: Card) -> None:
        nonlocal shape
        admit_version(record, card)
        check_asked(body, record)
        if body.explain:
            cases.explaining.check(card, len(body.inputs))
        each = explanation_bytes(card, record.classes or ()) if body.explain else 0
        limit, outputs = settings.max_answer_bytes, card.outputs or 1
        before, shape = shape, shape_of(body, record.classes, outputs, limit, each, several=record.several)
        request.state.reservation.take(shape.size - before.size)

    client = ClientKey(request.state.tenant, body.client_id)
    answered = await cases.predicting.predict(client, body.inputs, admit, body.version)
    beside = await beside_of(cases, client, answered, body)
    ids, warnings = await cases.feedback.keep(client, answered)
    answered = answered._replace(warnings=answered.warnings + warnings)
    return await written(lambda: with_ids(response_of(answered, shape.top_k, beside), ids), shape.size)
