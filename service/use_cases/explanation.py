"""What an answer is made of, as clients see it."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from service import absent
from service.arrays import Array, Arrays
from service.cards import Card
from service.inputs.parts import InputWeights, number
from service.store.reading import Contents, labels_of
from service.use_cases.confusion import ClassLabel

LISTED = 10
"""Examples in an explanation."""
Measure = Literal["log_odds", "votes", "value"]


class ExampleWeight(BaseModel):
    """What an example, or the name of a class, contributes."""

    id: Annotated[str | None, Field(description="Absent for a name.", exclude_if=absent.if_none)] = None
    name: Annotated[
        bool | None,
        Field(description="True for the name of a class, which counts like an example.", exclude_if=absent.if_none),
    ] = None
    label: ClassLabel | float | list[float] | None = Field(description="null for an example without a label.")
    weight: float | None = Field(
        description="null for the only example of one of the two classes, where leaving it out takes the class away."
    )


class Explanation(BaseModel):
    """Why an input is answered as it is. The weights of all examples and names, `rest` and `base` add up to `total`."""

    label: ClassLabel | None = Field(description="The answer, which is explained; null for regression.")
    against: ClassLabel | None = Field(description="The most probable other class; null for regression.")
    measure: Measure = Field(
        description="What `total` is. log_odds: the natural logarithm of how many times as probable as `against` the "
        "answer is. votes: how much more of the attention the examples of the answer have, for matching networks. "
        "value: the value."
    )
    method: Literal["exact", "leave_one_out"] = Field(
        description="exact: the model is a sum over examples, and a weight is a term of it. leave_one_out: a weight is "
        "by how much `total` falls when the model adapts without the example."
    )
    examples: list[ExampleWeight] = Field(
        description=f"The examples with the largest weights, by size, at most {LISTED}. A weight above 0 speaks for "
        "the answer. Examples without weight are not listed."
    )
    rest: float = Field(description="The sum of the weights of all other examples.")
    base: float = Field(description="What no example explains.")
    total: float
    input: Annotated[
        InputWeights | None,
        Field(
            description="What the parts of the input contribute. Absent for inputs without parts, and for models that "
            "answer all inputs of a request together.",
            exclude_if=absent.if_none,
        ),
    ] = None


class Explained(NamedTuple):
    """The differences of answers that are explained.

    top        the answer to each query (q,); for regression 0
    runner_up  the class that it is compared with (q,); None for regression
    contrast   1 for the answer and -1 for the other class, (q, ways or outputs)
    scale      factor from differences of logits to log-odds
    """

    top: Array
    runner_up: Array | None
    contrast: Array
    scale: float

    def differences(self, answers: Array, row: int | None = None) -> Array:
        """The difference for answers (q, ways), to all queries or to variants of the one in `row`."""
        contrast = self.contrast if row is None else self.contrast[row]
        found: Array = (answers.astype(np.float64) * contrast).sum(-1) * self.scale
        return found


def explained(card: Card, answers: Array) -> Explained:
    """What is explained of answers: the two most probable classes, or the value."""
    contrast = np.zeros(answers.shape, np.float32)
    if card.kind == "regression":
        contrast[:, 0] = 1
        return Explained(np.zeros(len(answers), np.int64), None, contrast, 1.0)
    rows, top = np.arange(len(answers)), card.probabilities(answers).argmax(-1)
    others = answers.astype(np.float64)
    others[rows, top] = -np.inf
    runner_up = others.argmax(-1)
    contrast[rows, top], contrast[rows, runner_up] = 1, -1
    return Explained(top, runner_up, contrast, 1 / card.temperature)


def explanation(
    contents: Contents, asked: Explained, row: int, total: float, found: Arrays, parts: InputWeights | None
) -> Explanation:
    """The explanation of one answer.

    Args:
        contents: The version that answers.
        asked: What is explained.
        row: The place of the query.
        total: The difference of its answers.
        found: What `Engine.explain` found.
        parts: What the parts of the input contribute.
    """
    classes, votes = contents.record.classes, bool(found["votes"][0])
    scale = 1.0 if votes else asked.scale
    weights = np.concatenate([found["weights"][row], found["names"][row]]).astype(np.float64) * scale
    total = float(weights.sum()) if votes else total
    order = _by_size(weights)
    listed = [_weighed(contents, int(place), float(weights[place])) for place in order[:LISTED]]
    return Explanation(
        label=None if classes is None else classes[asked.top[row]],
        against=None if classes is None or asked.runner_up is None else classes[asked.runner_up[row]],
        measure="value" if classes is None else "votes" if votes else "log_odds",
        method="exact" if found["exact"][0] else "leave_one_out",
        examples=listed,
        rest=number(float(np.nansum(weights[order[LISTED:]]))),
        base=number(total - float(np.nansum(weights))),
        total=number(total),
        input=parts,
    )


def _by_size(weights: Array) -> Sequence[int]:
    """The places of weights that are not 0, the largest first. An undefined weight counts as infinite."""
    size = np.where(np.isnan(weights), np.inf, np.abs(weights))
    order: list[int] = np.argsort(-size, kind="stable").tolist()
    return [place for place in order if size[place] > 0]


def _weighed(contents: Contents, place: int, weight: float) -> ExampleWeight:
    """An example, or a name behind all examples."""
    value = None if np.isnan(weight) else number(weight)
    count = len(contents.examples)
    if place >= count:
        return ExampleWeight(name=True, label=(contents.record.classes or [])[place - count], weight=value)
    [label] = labels_of(contents.record.classes, [contents.targets[place]])
    label = label[0] if isinstance(label, list) and len(label) == 1 else label
    return ExampleWeight(id=contents.examples[place].id, label=label, weight=value)
