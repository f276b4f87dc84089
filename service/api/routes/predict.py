"""POST /predict."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.answers import AnswerShape, classified, labelled, regressed, shape_of, with_ids, written
from service.api.bodies.uploads import documented_query, media_type
from service.api.dependencies import UseCases, use_cases
from service.api.lines import NDJSON
from service.api.predict_schemas import Classified, Labelled, PredictRequest, PredictResponse, Regressed
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, documented, read
from service.api.streaming import stream_inputs, stream_lines, wants_lines
from service.cards import Card
from service.settings import Settings
from service.store.records import ClientKey, Record
from service.use_cases.explaining import explanation_bytes
from service.use_cases.explanation import Explanation
from service.use_cases.intervals import Intervals, intervals
from service.use_cases.judging import Threshold
from service.use_cases.label_sets import LabelThreshold, independent
from service.use_cases.predicting import Answered

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


async def answer(request: Request, body: PredictRequest) -> Response:
    """Answer a predict in JSON. Raises HandfulError."""
    settings: Settings = request.app.state.settings
    cases = await use_cases(request)
    shape = AnswerShape(0, 0, 0)

    def admit(record: Record, card: Card) -> None:
        nonlocal shape
        if _abstains(body) and record.classes is None:
            raise errors.Unprocessable(
                "abstain: this client is a regression; only classes can be unknown.", field="abstain"
            )
        if body.abstain and record.several:
            raise errors.Unprocessable(
                "abstain: an answer of this client may have no label. Leave `abstain` out.", field="abstain"
            )
        if body.explain and record.several:
            raise errors.Unprocessable(
                "explain: answers of several labels are not explained. Leave `explain` out.", field="explain"
            )
        if body.interval is not None and record.classes is not None:
            raise errors.Unprocessable(
                "interval: this client has classes; only a regression has intervals. The answers have `probabilities`.",
                field="interval",
            )
        if body.explain:
            cases.explaining.check(card, len(body.inputs))
        each = explanation_bytes(card, record.classes or ()) if body.explain else 0
        limit, outputs = settings.max_answer_bytes, card.outputs or 1
        before, shape = shape, shape_of(body, record.classes, outputs, limit, each, several=record.several)
        request.state.reservation.take(shape.size - before.size)

    client = ClientKey(request.state.tenant, body.client_id)
    answered = await cases.predicting.predict(client, body.inputs, admit, body.version)
    beside = await _beside(cases, client, answered, body)
    if body.explain:
        beside = beside._replace(why=await cases.explaining.explain(client, answered))
    ids, warnings = await cases.feedback.keep(client, answered)
    answered = answered._replace(warnings=answered.warnings + warnings)
    return await written(lambda: with_ids(_response(answered, shape.top_k, beside), ids), shape.size)


class Beside(NamedTuple):
    """What an answer has beside its predictions, where it was asked for or needed."""

    threshold: Threshold | None = None
    unknown: list[bool] | None = None
    thresholds: list[LabelThreshold] | None = None
    around: Intervals | None = None
    why: list[Explanation] | None = None


async def _beside(cases: UseCases, client: ClientKey, answered: Answered, body: PredictRequest) -> Beside:
    if answered.record.several:
        coverage = body.coverage if "coverage" in body.model_fields_set else None
        thresholds = await cases.judging.label_thresholds(client, answered, coverage, body.min_probability)
        return Beside(thresholds=thresholds)
    if _abstains(body):
        return Beside(*await cases.judging.unknown(client, answered, body.coverage, body.min_probability))
    if body.interval is not None:
        return Beside(around=await intervals(cases.judging, client, answered, body.interval))
    return Beside()


def _abstains(body: PredictRequest) -> bool:
    return body.abstain or body.min_probability is not None


def _response(answered: Answered, top_k: int, beside: Beside) -> PredictResponse:
    record, predictions = answered.record, _predictions(answered, top_k, beside)
    explained: Sequence[Classified | Labelled | Regressed] = predictions if beside.why else ()
    for prediction, each in zip(explained, beside.why or (), strict=True):
        if not isinstance(prediction, Labelled):  # those are never explained
            prediction.explanation = each
    return PredictResponse(
        client_id=record.client_id,
        model=record.model,
        version=record.version,
        inference=answered.inference(),
        predictions=predictions,
        threshold=beside.threshold,
        thresholds=beside.thresholds,
        interval=None if beside.around is None else beside.around.info,
        warnings=answered.warnings,
        timings_ms=answered.timings_ms,
    )


def _predictions(answered: Answered, top_k: int, beside: Beside) -> list[Classified] | list[Labelled] | list[Regressed]:
    classes = answered.record.classes
    if classes is None:
        values = answered.answers.tolist()
        ends = [None] * len(values) if beside.around is None else beside.around.ends.tolist()
        return [regressed(*each) for each in zip(values, ends, strict=True)]
    if beside.thresholds is not None:
        return labelled(independent(answered.answers), classes, top_k, beside.thresholds)
    return classified(answered.card.probabilities(answered.answers), classes, top_k, beside.unknown)
