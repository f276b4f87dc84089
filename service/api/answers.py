"""The answers of /predict: their probabilities, their maximum size and their JSON."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from fastapi import Response
from pydantic import BaseModel

from service.api.adapt_schemas import AdaptResponse
from service.api.parsing import JSON, THREADS
from service.api.predict_schemas import Classified, Labelled, PredictRequest, PredictResponse, Regressed
from service.arrays import Array
from service.errors import AnswerTooLarge
from service.inputs.labels import Classes
from service.store.records import Adapted
from service.use_cases.label_sets import LabelThreshold
from service.use_cases.quality import Quality

FEW_CLASSES, TOP_K = 20, 5
"""By default, an answer has the probabilities of all of up to 20 classes, or of the 5 most probable ones."""
NUMBER_BYTES = 16
"""Maximum size of a number in JSON: 7 digits, sign, point, exponent and separators."""
ANSWER_BYTES = 96
"""Size of the field names of one answer."""


class AnswerShape(NamedTuple):
    """The number of answers, the probabilities in each, and the maximum bytes of each."""

    queries: int
    top_k: int
    bytes_each: int

    @property
    def size(self) -> int:
        """Maximum bytes of all answers as JSON."""
        return self.queries * self.bytes_each


def shape_of(
    request: PredictRequest,
    classes: Classes | None,
    outputs: int,
    limit: int,
    explanation: int = 0,
    *,
    several: bool = False,
) -> AnswerShape:
    """The shape of the answer to a request.

    Args:
        request: The request.
        classes: The classes of the client; None for regression.
        outputs: Numbers in one answer, for regression.
        limit: Maximum bytes of all answers.
        explanation: Maximum bytes of the explanation of one answer.
        several: Whether an answer may have all labels.

    Raises:
        AnswerTooLarge: The answer would be over the limit.
    """
    top_k = top_k_of(request, len(classes or ()))
    numbers = outputs if request.interval is None else 3 * outputs
    each = ANSWER_BYTES + explanation
    each += NUMBER_BYTES * numbers if classes is None else _label_bytes(classes, top_k)
    each += _label_bytes(classes, len(classes)) if several and classes else 0
    shape = AnswerShape(len(request.inputs), top_k, each)
    if shape.size > limit:
        raise AnswerTooLarge(
            f"inputs: {shape.queries} answers of up to {each} bytes; the limit is {limit} bytes in all. Send at most "
            f"{limit // each} inputs" + (f", or a `top_k` below {top_k}." if top_k > 1 else "."),
            field="inputs",
        )
    return shape


def top_k_of(request: PredictRequest, classes: int) -> int:
    """The number of probabilities in each answer."""
    if "top_k" not in request.model_fields_set:
        return classes if classes <= FEW_CLASSES else TOP_K
    return classes if request.top_k is None else min(request.top_k, classes)


def _label_bytes(classes: Classes, top_k: int) -> int:
    sizes = sorted((len(orjson.dumps(str(label))) for label in classes), reverse=True)
    return sizes[0] + sum(sizes[:top_k]) + NUMBER_BYTES * (top_k + 1)


def classified(
    probabilities: Array, classes: Classes, top_k: int, unknown: Sequence[bool] | None = None
) -> list[Classified]:
    """Answers from probabilities (q, ways). If `top_k` is below the number of classes, the most probable come first.

    With `unknown` (q,), each says whether it is.
    """
    best = probabilities.argmax(-1).tolist()
    if top_k < len(classes):
        chosen = np.argsort(-probabilities, axis=-1, kind="stable")[:, :top_k]
    else:
        chosen = np.broadcast_to(np.arange(len(classes)), probabilities.shape)
    kept = np.take_along_axis(probabilities, chosen, -1).tolist()
    highest = probabilities.max(-1).tolist()
    return [
        Classified(
            label=classes[first],
            probability=number(top),
            unknown=None if unknown is None else unknown[place],
            probabilities={str(classes[i]): number(value) for i, value in zip(indices, values, strict=True)},
        )
        for place, (first, top, indices, values) in enumerate(zip(best, highest, chosen.tolist(), kept, strict=True))
    ]


def with_ids(response: PredictResponse, ids: Sequence[str | None]) -> PredictResponse:
    """A response whose predictions have these ids, if there are any."""
    for prediction, name in zip(response.predictions, ids, strict=False):
        prediction.id = name  # type: ignore[attr-defined]
    return response


def labelled(
    probabilities: Array, classes: Classes, top_k: int, thresholds: Sequence[LabelThreshold]
) -> list[Labelled]:
    """Answers of several labels from independent probabilities (q, ways)."""
    least = np.array([each.at_least for each in thresholds])
    order = np.argsort(-probabilities, axis=-1, kind="stable")[:, :top_k] if top_k < len(classes) else None
    return [
        Labelled(
            labels=[classes[place] for place in np.flatnonzero(own >= least)],
            probabilities={
                str(classes[place]): number(own[place])
                for place in (range(len(classes)) if order is None else order[i].tolist())
            },
        )
        for i, own in enumerate(probabilities)
    ]


def regressed(values: list[float], ends: list[list[float]] | None = None) -> Regressed:
    """The answer of a regressor, with the ends of an interval around each value."""
    known: dict[str, Any] = {}
    if ends is not None:
        pairs = [(number(low), number(high)) for low, high in ends]
        known["interval"] = pairs[0] if len(pairs) == 1 else pairs
    return Regressed(value=number(values[0]) if len(values) == 1 else [number(value) for value in values], **known)


def number(value: float) -> float:
    """Round to 7 digits, the precision of float32. JSON would write up to 17."""
    return float(f"{value:.7g}")


async def written(make: Callable[[], BaseModel], size: int) -> Response:
    """The JSON of an answer of about `size` bytes. A large answer is serialized in a thread."""
    return Response(await THREADS.run(lambda: make().model_dump_json(), size), media_type=JSON)


async def adapted_response(adapted: Adapted, quality: Quality | None = None) -> Response:
    """The answer to a change of a client, with the entity tag of its new version and, if asked, its quality."""
    record = adapted.record
    answer = AdaptResponse(
        **record.model_dump(include=set(AdaptResponse.model_fields)),
        **adapted.model_dump(include={"ids", "dropped", "state_bytes", "names_used", "timings_ms"}),
        warnings=adapted.warnings,
        quality=quality,
    )
    response = await written(lambda: answer, 0)
    response.headers["ETag"] = record.etag
    return response
