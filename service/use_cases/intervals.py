"""Intervals around the answers of a regression, from the errors of answers to examples that were left out."""

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from service.arrays import Array
from service.cards import Card
from service.errors import TooFewExamples
from service.store.records import ClientKey
from service.use_cases.judging import Judging
from service.use_cases.predicting import Answered
from service.use_cases.quality import Judged

Source = Literal["client", "model"]


class IntervalInfo(BaseModel):
    """What the intervals of the answers rest on."""

    level: float = Field(description="The share of the right values that the intervals shall contain.")
    source: Source = Field(
        description="client: the errors of answers to the client's own examples, each left out once. model: there are "
        "too few of them; the errors of the model on other tasks, from its card."
    )
    judged: int = Field(description="Examples of the client that were left out and answered.")


class Intervals(NamedTuple):
    """Both ends of the interval of each number of each answer, (q, outputs, 2)."""

    info: IntervalInfo
    ends: Array


async def intervals(judging: Judging, client: ClientKey, answered: Answered, level: float) -> Intervals:
    """The intervals of answers. Raises TooFewExamples, and what judging the client raises."""
    judged = await judging.judged(client, answered.record)
    source, half = half_widths(judged, answered.card, level)
    if answered.deviations is not None:
        half = half * answered.deviations
    ends = np.stack([answered.answers - half, answered.answers + half], -1)
    return Intervals(IntervalInfo(level=level, source=source, judged=len(judged.errors)), ends)


def half_widths(judged: Judged, card: Card, level: float) -> tuple[Source, Array]:
    """Half of the width of the intervals, for each number of an answer (outputs,): in standard deviations if the model
    predicts them.

    Args:
        judged: The errors of the client's own examples.
        card: The card of its model.
        level: The share of the right values that the intervals shall contain.

    Raises:
        TooFewExamples: There are too few examples, and the card says nothing of clients with so few.
    """
    rank = math.ceil(level * (len(judged.errors) + 1) - 1e-9)
    if rank <= len(judged.errors):
        return "client", np.sort(judged.errors, axis=0)[rank - 1]
    examples = judged.quality.examples
    scale = None if card.errors is None else card.errors.at(examples, level)
    if scale is not None and card.errors is not None:
        return "model", scale * (judged.spread if card.errors.unit == "range" else np.ones_like(judged.spread))
    raise TooFewExamples(_missing(level, examples, card), field="interval")


def _missing(level: float, examples: int, card: Card) -> str:
    own = math.ceil(level / (1 - level) - 1e-9)
    least = own if card.errors is None else min(own, card.errors.examples[0])
    return (
        f"interval: a level of {level:g} needs {least} examples, and the client has {examples}. Append examples, or "
        "ask for a lower level."
    )
