"""How good a client is."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from service import errors
from service.api.answers import written
from service.api.bodies.uploads import with_uploads
from service.api.client_failures import BODY, READS
from service.api.client_schemas import EvaluateRequest
from service.api.dependencies import KEY_SCHEMES, Cases, Client, use_cases
from service.api.known_query import DECLARED_QUERY
from service.api.problem_details import responses
from service.api.request_body import BodyRoute, client_of, documented_json, read
from service.api.sent_labels import sent_label
from service.arrays import Array
from service.cards import Card
from service.store.records import Record
from service.use_cases.evaluation import Evaluation, evaluation, targets_of
from service.use_cases.quality import Quality

router = APIRouter(prefix="/clients/{client_id}", tags=["quality"], dependencies=[*KEY_SCHEMES, DECLARED_QUERY])
bodies = APIRouter(prefix="/clients/{client_id}", tags=["quality"], route_class=BodyRoute)
"""Routes that read a body."""

FAILURES = responses(
    *READS, errors.UnknownVersion, errors.VersionGone, errors.Contended, errors.Busy, errors.DeadlineExceeded
)


@router.get("/quality", operation_id="get_quality", responses=FAILURES)
async def get_quality(
    client: Client,
    cases: Cases,
    version: Annotated[int | None, Query(ge=1, le=2**53, description="Default: the current version.")] = None,
) -> Quality:
    """How good a client is, by its own examples: each is left out, the model adapts to the others and answers it."""
    return await cases.judging.quality(client, version)


@bodies.post(
    "/evaluate",
    operation_id="evaluate",
    response_model=Evaluation,
    responses=FAILURES
    | responses(
        *BODY, errors.BadRequest, errors.TooFewExamples, errors.TooCostly, errors.Diverged, errors.Unauthorized
    ),
    openapi_extra=with_uploads(
        documented_json(EvaluateRequest, "client_id", changes=False), EvaluateRequest, "queries"
    ),
)
async def evaluate(request: Request) -> Response:
    """Compare a client's answers to labelled queries with the labels. Nothing is stored."""
    cases, client, body = await use_cases(request), client_of(request), await read(request, EvaluateRequest)
    targets: Array = np.zeros(0)

    def admit(record: Record, card: Card) -> None:
        nonlocal targets
        targets = targets_of(record, card, labels)

    labels = [
        sent_label(query.label, query.labels, query.model_fields_set, f"queries[{i}].")
        for i, query in enumerate(body.queries)
    ]
    inputs = [query.input for query in body.queries]
    answered = await cases.predicting.predict(client, inputs, admit, body.version, "queries[{}].input")
    found = evaluation(answered.record, answered.card, answered.answers, targets)
    return await written(lambda: found, 0)
