"""POST /clients/{client_id}/suggest."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service import errors
from service.api.answers import number, regressed, written
from service.api.client_failures import BODY, READS
from service.api.client_schemas import Suggestion, SuggestRequest, SuggestResponse
from service.api.dependencies import use_cases
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, client_of, documented_json, read
from service.use_cases.suggesting import Suggested

bodies = APIRouter(prefix="/clients/{client_id}", tags=["examples"], route_class=BodyRoute)

DOCUMENTED = documented_json(SuggestRequest, "client_id", changes=False)


@bodies.post(
    "/suggest",
    operation_id="suggest",
    response_model=SuggestResponse,
    responses=responses(
        *READS,
        *BODY,
        errors.BadRequest,
        errors.Contended,
        errors.TooFewExamples,
        errors.TooCostly,
        errors.Diverged,
        errors.Busy,
        errors.DeadlineExceeded,
    ),
    openapi_extra=DOCUMENTED,
)
async def suggest(request: Request) -> Response:
    """The unlabelled inputs that are most worth a label, the most worthy first. Nothing is stored."""
    cases, client, body = await use_cases(request), client_of(request), await read(request, SuggestRequest)
    names = body.names()
    suggested = await cases.suggesting.suggest(client, body.inputs, body.k)
    return await written(lambda: _response(suggested, names), 0)


def _response(suggested: Suggested, names: list[str | None]) -> SuggestResponse:
    record, choice = suggested.record, suggested.choice
    found = [
        Suggestion(index=place, id=names[place], score=number(score), **answer)
        for place, score, answer in zip(choice.places, choice.scores, _answers(suggested), strict=True)
    ]
    return SuggestResponse(
        client_id=record.client_id, model=record.model, version=record.version, suggestions=found,
        warnings=suggested.warnings,
    )  # fmt: skip


def _answers(suggested: Suggested) -> list[dict[str, Any]]:
    """The answers to the chosen inputs, as fields; empty for a client that cannot predict yet."""
    places, answers = suggested.choice.places, suggested.answers
    if answers is None:
        return [{}] * len(places)
    if suggested.record.classes is None:
        return [{"value": regressed(values).value} for values in answers[places].tolist()]
    chosen = answers[places]
    best, top = chosen.argmax(-1).tolist(), chosen.max(-1).tolist()
    return [
        {"label": suggested.record.classes[place], "probability": number(probability)}
        for place, probability in zip(best, top, strict=True)
    ]
