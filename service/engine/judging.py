"""Large jobs that compare examples and queries with a support set: answers to left-out examples, and familiarity."""

from collections.abc import Callable
from math import ceil

import numpy as np
from torch import Tensor

from service.arrays import Array, Arrays
from service.engine.costs import Cost
from service.engine.device import Device
from service.engine.folds import parts
from service.engine.jobs import AdaptJob, HeldOut
from service.engine.pieces import EncodedInPieces, EncodesFirst, piece_size
from service.errors import Diverged


class LargeHeldOut(EncodesFirst):
    """The answers to the examples of a support set, each from the state of adapting without its fold.

    The examples are encoded piece by piece. Then some folds are a piece.

    Args:
        job: The support set.
        fold: The fold (n,) of each example.
        cost: The estimated cost of all.
        encodes: Whether the model encodes at all.
        together: The most folds that run together.
    """

    def __init__(self, job: AdaptJob, fold: Array, cost: Cost, *, encodes: bool, together: int) -> None:
        self._job, self._fold = job, fold
        self._folds = list(parts(fold))
        left = job.new_inputs() if encodes and self._folds else job.support.inputs[:0]
        self._encoding = EncodedInPieces(job, left, cost)
        self._together = min(together, piece_size(len(self._folds), cost))
        self._answers: list[tuple[Array, HeldOut]] = []
        pieces = self._encoding.pieces + ceil(len(self._folds) / self._together)
        self.piece_s = cost.seconds / max(1, pieces)

    def advance(self, device: Device) -> Arrays | Diverged | None:
        """Encode some examples; when all are encoded, answer those of some folds."""
        if self._encoding:
            self._encoding.advance(device)
            return None
        if not self._folds:
            return self._whole()
        job, now = self._job._replace(features=self._encoding.features()), self._folds[: self._together]
        for fold, answers in zip(now, device.held_out(job, now), strict=True):
            if isinstance(answers, Diverged):
                return answers
            self._answers.append((fold, answers))
        self._folds = self._folds[self._together :]
        return None if self._folds else self._whole()

    def _whole(self) -> Arrays:
        """The fold of each example, its answer, and how familiar it is; NaN for one that is never left out."""
        outputs = self._answers[0][1].answers.shape[-1] if self._answers else 0
        whole = np.full((len(self._fold), outputs), np.nan, np.float32)
        familiar = np.full(len(self._fold), np.nan, np.float32)
        for fold, found in self._answers:
            whole[fold] = found.answers
            familiar[fold] = np.nan if found.familiar is None else found.familiar
        return {"fold": self._fold, "answers": whole, "familiar": familiar}


class LargeFamiliar:
    """How familiar queries are to a support set. What is not encoded yet is encoded piece by piece.

    Args:
        job: The support set.
        queries: The queries (q, *input).
        cost: The estimated cost.
        finish: Keeps the features of the support set.
    """

    def __init__(self, job: AdaptJob, queries: Array, cost: Cost, finish: Callable[[Tensor], None]) -> None:
        self._job, self._finish = job, finish
        self._encoding = EncodedInPieces(job, np.concatenate([job.new_inputs(), queries]), cost)
        self._count = len(job.support.targets)
        self.piece_s = cost.seconds / self._encoding.pieces

    def advance(self, device: Device) -> Array | None:
        """Encode some inputs; when all are encoded, compare them."""
        self._encoding.advance(device)
        if self._encoding:
            return None
        examples, query = self._encoding.split(self._count)
        self._finish(examples.clone())
        found = device.familiar(self._job._replace(features=examples), query)
        return np.full(len(query), np.nan, np.float32) if found is None else found

    def next_is_short(self) -> bool:
        """Every piece is short."""
        return True

    def shrink(self) -> bool:
        """Encode half as many inputs at a time."""
        return self._encoding.shrink()
