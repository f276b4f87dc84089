"""POST /predict."""

from fastapi import APIRouter, Request, Response

from service import errors
from service.adaptation import Answered
from service.api.dependencies import tenant, use_cases
from service.api.problem_details import responses
from service.api.request_body import Direct, documented, read, written
from service.api.schemas import Classified, PredictRequest, PredictResponse, Regressed, warnings_of
from service.inputs.labels import Classes
from service.store.records import ClientKey

router = APIRouter(tags=["clients"], route_class=Direct)

FAILURES = responses(
    errors.BadRequest,
    errors.Unauthorized,
    errors.UnknownClient,
    errors.Conflict,
    errors.CorruptRecord,
    errors.TooSlow,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Unprocessable,
    errors.Diverged,
    errors.Busy,
    errors.Unavailable,
    errors.DeadlineExceeded,
)


@router.post(
    "/predict",
    operation_id="predict",
    response_model=PredictResponse,
    responses=FAILURES,
    openapi_extra=documented(PredictRequest),
)
async def predict(request: Request) -> Response:
    """Answer inputs from the client's adapted model."""
    whose, clients, body = await tenant(request), await use_cases(request), await read(request, PredictRequest)
    answered = await clients.predict(ClientKey(whose, body.client_id), body.inputs)
    record = answered.record
    return written(
        PredictResponse(
            client_id=record.client_id,
            model=record.model,
            version=record.version,
            inference=answered.inference(),
            predictions=_predictions(answered),
            warnings=warnings_of(answered.warnings),
            timings_ms=answered.timings_ms,
        )
    )


def _predictions(answered: Answered) -> list[Classified] | list[Regressed]:
    classes = answered.record.classes
    if classes is None:
        return [_regressed(values) for values in answered.answers.tolist()]
    return [_classified(each, classes) for each in answered.card.probabilities(answered.answers).tolist()]


def _classified(probabilities: list[float], classes: Classes) -> Classified:
    named = {str(label): _number(p) for label, p in zip(classes, probabilities, strict=True)}
    best = max(range(len(classes)), key=probabilities.__getitem__)
    return Classified(label=classes[best], probability=_number(probabilities[best]), probabilities=named)


def _regressed(values: list[float]) -> Regressed:
    return Regressed(value=_number(values[0]) if len(values) == 1 else [_number(value) for value in values])


def _number(value: float) -> float:
    """With the digits that a float32 has, and not the nine more that JSON would write of it."""
    return float(f"{value:.7g}")
