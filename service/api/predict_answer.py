"""What a predict answers: the predictions, and what was asked for beside them."""

from collections.abc import Sequence
from typing import NamedTuple

from service.api.answers import classified, labelled, regressed
from service.api.dependencies import UseCases
from service.api.predict_schemas import Classified, Labelled, PredictRequest, PredictResponse, Regressed
from service.errors import Unprocessable
from service.store.records import ClientKey, Record
from service.use_cases.explanation import Explanation
from service.use_cases.intervals import Intervals, intervals
from service.use_cases.judging import Threshold
from service.use_cases.label_sets import LabelThreshold, independent
from service.use_cases.predicting import Answered


def check_asked(body: PredictRequest, record: Record) -> None:
    """Raise Unprocessable for a question that does not fit the client: its answers are classes, labels or numbers."""
    if _abstains(body) and record.classes is None:
        raise Unprocessable("abstain: this client is a regression; only classes can be unknown.", field="abstain")
    if body.abstain and record.several:
        raise Unprocessable(
            "abstain: an answer of this client may have no label. Leave `abstain` out.", field="abstain"
        )
    if body.explain and record.several:
        raise Unprocessable(
            "explain: answers of several labels are not explained. Leave `explain` out.", field="explain"
        )
    if body.interval is not None and record.classes is not None:
        raise Unprocessable(
            "interval: this client has classes; only a regression has intervals. The answers have `probabilities`.",
            field="interval",
        )


class Beside(NamedTuple):
    """What an answer has beside its predictions, where it was asked for or needed."""

    threshold: Threshold | None = None
    unknown: list[bool] | None = None
    thresholds: list[LabelThreshold] | None = None
    around: Intervals | None = None
    why: list[Explanation] | None = None


async def beside_of(cases: UseCases, client: ClientKey, answered: Answered, body: PredictRequest) -> Beside:
    """What is answered beside the predictions. Raises HandfulError."""
    judged = await _judged(cases, client, answered, body)
    return judged._replace(why=await cases.explaining.explain(client, answered)) if body.explain else judged


async def _judged(cases: UseCases, client: ClientKey, answered: Answered, body: PredictRequest) -> Beside:
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


def response_of(answered: Answered, top_k: int, beside: Beside) -> PredictResponse:
    """The whole answer. Of classes, each prediction has the `top_k` most probable ones."""
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
