"""A large job: what the examples of a support set contribute to the answers to some queries."""

from math import ceil
from typing import NamedTuple

import numpy as np

from models.explanations import NOTHING
from service.arrays import Array, Arrays
from service.engine.costs import Cost
from service.engine.device import Device
from service.engine.jobs import AdaptJob
from service.engine.pieces import EncodedInPieces, EncodesFirst, piece_size

ANSWERS_AT_ONCE = 64
"""Most answers of states without an example that are computed together, which bounds their memory."""


class Question(NamedTuple):
    """Queries (q, *input), and the difference of their answers that is explained, (q, ways or outputs)."""

    queries: Array
    contrast: Array


class LargeExplain(EncodesFirst):
    """An explanation in pieces: inputs are encoded some at a time, and then some examples at a time are left out.

    An exact explanation needs no leaving out; it is one piece.

    Args:
        job: The support set.
        question: What is explained.
        cost: The estimated cost.
        exact: Whether the model has exact explanations.
        together: The most support sets with an example left out that are adapted to together.
    """

    def __init__(self, job: AdaptJob, question: Question, cost: Cost, *, exact: bool, together: int) -> None:
        self._job, self._question = job, question
        self._encoding = EncodedInPieces(job, np.concatenate([job.new_inputs(), question.queries]), cost)
        self._count = len(job.support.targets)
        self._places = np.arange(NOTHING, NOTHING if exact else self._count)
        self._together = max(1, min(together, ANSWERS_AT_ONCE // len(question.queries)))
        self._together = min(self._together, piece_size(len(self._places), cost))
        self._differences: list[Array] = []
        pieces = self._encoding.pieces + (1 if exact else ceil(len(self._places) / self._together))
        self.piece_s = cost.seconds / pieces

    def advance(self, device: Device) -> Arrays | None:
        """Encode some inputs; when all are encoded, explain, or leave out some examples."""
        if self._encoding:
            self._encoding.advance(device)
            return None
        known, query = self._encoding.split(self._count)
        job = self._job._replace(features=known)
        if not len(self._places):
            return device.explain(job, query, self._question.contrast)
        now, self._places = np.split(self._places, [self._together])
        self._differences.append(device.without(job, query, self._question.contrast, now))
        return None if len(self._places) else self._changes()

    def _changes(self) -> Arrays:
        """What changes when each example is left out, (q, n); NaN where there is no answer without it."""
        whole, others = np.split(np.concatenate(self._differences), [1])
        weights = np.where(np.isfinite(others), whole - others, np.nan).T
        return {"weights": weights, "names": weights[:, :0], "exact": np.array([False]), "votes": np.array([False])}
