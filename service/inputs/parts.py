"""The parts of an input, which are hidden one at a time to see what each contributes to an answer.

Zeiler, Fergus 2014, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901, section 4.2, hide squares
of a photo.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from service import absent
from service.arrays import Array, text_array

MOST_WORDS = 64
"""Parts of a text. The words of a longer one are taken together, several neighbours at a time."""
MOST_CHARACTERS = 16_000
"""Characters of all texts with a part hidden, which bounds the work: a text of 2000 characters has 8 parts."""
MOST_NUMBERS = 64
"""A longer vector has no parts."""
WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\s\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")
"""A character of a script without spaces, or characters up to the next space."""


def number(value: float) -> float:
    """Round to 7 digits, the precision of float32. JSON would write up to 17."""
    return float(f"{value:.7g}")


class WordWeight(BaseModel):
    """What a word of a text contributes; of a long text, several neighbouring words."""

    text: str
    start: int = Field(description="The place of its first character in the text, as the model reads it.")
    end: int = Field(description="The place after its last character.")
    weight: float


class ColumnWeight(BaseModel):
    """What the value of a column contributes."""

    name: str
    weight: float


class InputWeights(BaseModel):
    """What the parts of an input contribute: by how much `total` falls when a part is hidden. One field is there."""

    words: Annotated[
        list[WordWeight] | None,
        Field(description="Of a text, in its order. A word is hidden by leaving it out.", exclude_if=absent.if_none),
    ] = None
    saliency_png: Annotated[
        str | None,
        Field(
            description="Of an image: a PNG in base64 to lay over it, of the size that the model sees. Orange speaks "
            "for the answer, blue against it; the stronger, the less transparent.",
            exclude_if=absent.if_none,
        ),
    ] = None
    columns: Annotated[
        list[ColumnWeight] | None,
        Field(
            description="Of a row of a table. A value is hidden by taking it for missing.",
            exclude_if=absent.if_none,
        ),
    ] = None
    numbers: Annotated[
        list[float] | None,
        Field(
            description=f"Of a vector of up to {MOST_NUMBERS} numbers. A number is hidden by replacing it by its mean "
            "over the client's examples.",
            exclude_if=absent.if_none,
        ),
    ] = None


@dataclass(frozen=True)
class Parts:
    """The parts of one input.

    Args:
        count: Number of parts.
        hide: Makes inputs (count, *input), each with one part hidden.
        show: Makes the answer of the weights (count,) of the parts.
    """

    count: int
    hide: Callable[[], Array]
    show: Callable[[Array], InputWeights]


def of_text(text: str) -> Parts:
    """The words of a text."""
    spans = _spans(text)

    def hide() -> Array:
        return text_array([text[:start] + text[end:] for start, end in spans])

    def show(weights: Array) -> InputWeights:
        return InputWeights(
            words=[
                WordWeight(text=text[start:end], start=start, end=end, weight=number(weight))
                for (start, end), weight in zip(spans, weights.tolist(), strict=True)
            ]
        )

    return Parts(len(spans), hide, show)


def of_columns(row: Array, missing: Array, places: Sequence[tuple[str, slice]]) -> Parts:
    """The columns of a row (d,) of a table.

    Args:
        row: The row as features.
        missing: A row of which everything is missing.
        places: The name of each column, and its features.
    """

    def hide() -> Array:
        rows = np.repeat(row[None], len(places), 0)
        for each, (_, features) in zip(rows, places, strict=True):
            each[features] = missing[features]
        return rows

    def show(weights: Array) -> InputWeights:
        pairs = zip(places, weights.tolist(), strict=True)
        return InputWeights(columns=[ColumnWeight(name=name, weight=number(weight)) for (name, _), weight in pairs])

    return Parts(len(places), hide, show)


def of_numbers(vector: Array, known: Array) -> Parts | None:
    """The numbers of a vector (d,), which are replaced by their means over known vectors (n, d)."""
    if len(vector) > MOST_NUMBERS:
        return None

    def hide() -> Array:
        return np.where(np.eye(len(vector), dtype=bool), known.mean(0), vector).astype(vector.dtype)

    return Parts(len(vector), hide, lambda weights: InputWeights(numbers=[number(each) for each in weights.tolist()]))


def _spans(text: str) -> list[tuple[int, int]]:
    """The beginning and the end of each part of a text."""
    words = [found.span() for found in WORD.finditer(text)]
    most = max(1, min(MOST_WORDS, MOST_CHARACTERS // max(1, len(text))))
    together = -(-len(words) // most)
    groups = [words[i : i + together] for i in range(0, len(words), together or 1)]
    return [(group[0][0], group[-1][1]) for group in groups]
