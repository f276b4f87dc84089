"""The answers of /predict: which probabilities they hold, how large they may be, and their JSON."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import orjson
from fastapi import Response
from pydantic import BaseModel

from service.api import offload
from service.api.parsing import JSON
from service.api.schemas import Classified, PredictRequest, Regressed
from service.arrays import Array
from service.errors import AnswerTooLarge
from service.inputs.labels import Classes

FEW_CLASSES, TOP_K = 20, 5
"""Answers hold the probabilities of all classes if these are few, else of the most probable ones."""
NUMBER_BYTES = 16
"""Size of a number in JSON with its separators, at most: 7 digits, sign, point and exponent."""
ANSWER_BYTES = 64
"""Size of the field names of one answer."""


class AnswerShape(NamedTuple):
    """How many answers there are, and how many probabilities each holds."""

    queries: int
    top_k: int
    bytes_each: int

    @property
    def size(self) -> int:
        """Maximum bytes of all answers as JSON."""
        return self.queries * self.bytes_each


def shape_of(asked: PredictRequest, classes: Classes | None, outputs: int, limit: int) -> AnswerShape:
    """The shape of the answer to a request.

    Args:
        asked: The request.
        classes: The classes of the client; None for regression.
        outputs: Numbers in one answer, for regression.
        limit: Maximum bytes of all answers.

    Raises:
        AnswerTooLarge: The answer would be over the limit.
    """
    top_k = top_k_of(asked, len(classes or ()))
    each = ANSWER_BYTES + (NUMBER_BYTES * outputs if classes is None else _label_bytes(classes, top_k))
    shape = AnswerShape(len(asked.inputs), top_k, each)
    if shape.size > limit:
        raise AnswerTooLarge(
            f"inputs: {shape.queries} answers of up to {each} bytes are over {limit} bytes, the limit. Send at most "
            f"{limit // each} inputs" + (f", or a `top_k` below {top_k}." if top_k > 1 else "."),
            field="inputs",
        )
    return shape


def top_k_of(asked: PredictRequest, classes: int) -> int:
    """How many probabilities each answer holds."""
    if "top_k" not in asked.model_fields_set:
        return classes if classes <= FEW_CLASSES else TOP_K
    return classes if asked.top_k is None else min(asked.top_k, classes)


def _label_bytes(classes: Classes, top_k: int) -> int:
    sizes = sorted((len(orjson.dumps(str(label))) for label in classes), reverse=True)
    return sizes[0] + sum(sizes[:top_k]) + NUMBER_BYTES * (top_k + 1)


def classified(probabilities: Array, classes: Classes, top_k: int) -> list[Classified]:
    """Answers from probabilities (q, ways). With fewer than all, the most probable classes come first."""
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
            probabilities={str(classes[i]): number(value) for i, value in zip(indices, values, strict=True)},
        )
        for first, top, indices, values in zip(best, highest, chosen.tolist(), kept, strict=True)
    ]


def regressed(values: list[float]) -> Regressed:
    """The answer of a regressor."""
    return Regressed(value=number(values[0]) if len(values) == 1 else [number(value) for value in values])


def number(value: float) -> float:
    """Round to the digits that a float32 has. JSON would write nine more."""
    return float(f"{value:.7g}")


async def written(make: Callable[[], BaseModel], size: int) -> Response:
    """An answer of about `size` bytes as JSON, made in a thread if it is large."""
    return Response(await offload.run(lambda: make().model_dump_json(), size), media_type=JSON)
