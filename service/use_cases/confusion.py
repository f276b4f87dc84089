"""Which classes are taken for which: a confusion matrix as a list."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from service.arrays import Array

ClassLabel = str | int


class Answers(BaseModel):
    """How often queries of a class were answered with a class."""

    label: ClassLabel
    answer: ClassLabel
    count: int


def counted(classes: Sequence[ClassLabel], counts: Array) -> list[Answers]:
    """The counts above 0 of a confusion matrix."""
    return [
        Answers(label=classes[row], answer=classes[column], count=int(counts[row, column]))
        for row, column in np.argwhere(counts).tolist()
    ]
