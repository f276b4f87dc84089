"""Large jobs, cut into pieces: inputs are encoded, and queries answered, some at a time."""

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from torch import Tensor

from service.arrays import Array, Arrays
from service.engine.costs import PIECE_S, Cost
from service.engine.device import Device
from service.engine.folds import parts
from service.engine.jobs import Adapted, AdaptJob, HeldOut, PredictJob
from service.errors import Diverged

SHORT_S = 0.1
"""Others wait for the end of a piece of at most so many estimated seconds. In longer ones it pauses for them."""

FinishAdapt = Callable[[AdaptJob, Adapted | Diverged, float], Arrays | Diverged]
FinishPredict = Callable[[PredictJob, Array, float], Array | Diverged]


class LargeAdapt:
    """An adapt that encodes its examples piece by piece; the rest is one piece. A short one is one piece as a whole.

    Args:
        job: The adapt.
        cost: Its estimated cost.
        encodes: Whether the model encodes at all.
        finish: Makes the result of the job from that of the device and the seconds that all pieces took.
    """

    def __init__(self, job: AdaptJob, cost: Cost, finish: FinishAdapt, *, encodes: bool) -> None:
        self._job, self._finish = job, finish
        self._is_short = cost.seconds <= SHORT_S
        self._left = job.new_inputs() if encodes and not self._is_short else job.support.inputs[:0]
        self._features: list[Tensor] = [] if job.features is None else [job.features]
        self._size = piece_size(len(self._left), cost)
        self._seconds = 0.0
        self.piece_s = cost.seconds / (1 + ceil(len(self._left) / self._size))

    def advance(self, device: Device) -> Arrays | Diverged | None:
        """Encode some examples; adapt when all are encoded."""
        elapsed = device.timer()
        if len(self._left):
            self._features += device.encode(self._job.model, [self._left[: self._size]], [self._job.tenant])
            self._left = self._left[self._size :]
            self._seconds += elapsed()
            return None
        features = torch.cat(self._features) if self._features else None
        [adapted] = device.adapt([self._job._replace(features=features)])
        return self._finish(self._job, adapted, self._seconds + elapsed())

    def next_is_short(self) -> bool:
        """The adapt itself may take most of the time."""
        return self._is_short or len(self._left) > 0

    def shrink(self) -> bool:
        """Encode half as many examples at a time."""
        self._size, before = max(1, self._size // 2), self._size
        return len(self._left) > 0 and self._size < before


class LargeHeldOut:
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
        self._left = job.new_inputs() if encodes and self._folds else job.support.inputs[:0]
        self._features: list[Tensor] = [] if job.features is None else [job.features]
        self._size = piece_size(len(self._left), cost)
        self._together = min(together, piece_size(len(self._folds), cost))
        self._answers: list[tuple[Array, HeldOut]] = []
        pieces = ceil(len(self._left) / self._size) + ceil(len(self._folds) / self._together)
        self.piece_s = cost.seconds / max(1, pieces)

    def advance(self, device: Device) -> Arrays | Diverged | None:
        """Encode some examples; when all are encoded, answer those of some folds."""
        if len(self._left):
            self._features += device.encode(self._job.model, [self._left[: self._size]], [self._job.tenant])
            self._left = self._left[self._size :]
            return None
        if not self._folds:
            return self._whole()
        features, now = torch.cat(self._features) if self._features else None, self._folds[: self._together]
        for fold, answers in zip(now, device.held_out(self._job._replace(features=features), now), strict=True):
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

    def next_is_short(self) -> bool:
        """A single fold of a slow learner may take long."""
        return len(self._left) > 0 or self.piece_s <= SHORT_S

    def shrink(self) -> bool:
        """Encode half as many examples, or adapt to half as many folds, at a time."""
        before = self._size, self._together
        if len(self._left):
            self._size = max(1, self._size // 2)
        else:
            self._together = max(1, self._together // 2)
        return before != (self._size, self._together)


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
        self._left = np.concatenate([job.new_inputs(), queries])
        self._count = len(job.support.targets)
        self._features: list[Tensor] = [] if job.features is None else [job.features]
        self._size = piece_size(len(self._left), cost)
        self.piece_s = cost.seconds / ceil(len(self._left) / self._size)

    def advance(self, device: Device) -> Array | None:
        """Encode some inputs; when all are encoded, compare them."""
        self._features += device.encode(self._job.model, [self._left[: self._size]], [self._job.tenant])
        self._left = self._left[self._size :]
        if len(self._left):
            return None
        examples, query = torch.cat(self._features).tensor_split([self._count])
        self._finish(examples.clone())
        found = device.familiar(self._job._replace(features=examples), query)
        return np.full(len(query), np.nan, np.float32) if found is None else found

    def next_is_short(self) -> bool:
        """Every piece is short."""
        return True

    def shrink(self) -> bool:
        """Encode half as many inputs at a time."""
        self._size, before = max(1, self._size // 2), self._size
        return self._size < before


class LargeEncode:
    """The features of queries, encoded piece by piece.

    Args:
        model: Name of the model.
        queries: The queries (q, *input).
        tenant: The tenant that they belong to.
        cost: The estimated cost.
    """

    def __init__(self, model: str, queries: Array, tenant: str, cost: Cost) -> None:
        self._model, self._left, self._tenant = model, queries, tenant
        self._features: list[Array] = []
        self._size = piece_size(len(queries), cost)
        self.piece_s = cost.seconds / ceil(len(queries) / self._size)

    def advance(self, device: Device) -> Array | None:
        """Encode some queries. Returns the features of all when none are left."""
        self._features.append(device.features(self._model, self._left[: self._size], self._tenant))
        self._left = self._left[self._size :]
        return None if len(self._left) else np.concatenate(self._features)

    def next_is_short(self) -> bool:
        """Every piece is short."""
        return True

    def shrink(self) -> bool:
        """Encode half as many queries at a time."""
        self._size, before = max(1, self._size // 2), self._size
        return self._size < before


class LargePredict:
    """A predict that answers its queries piece by piece.

    Args:
        job: The predict.
        cost: Its estimated cost.
        together: The queries must be answered together.
        finish: Makes the result of the job from all answers and the seconds that all pieces took.
    """

    def __init__(self, job: PredictJob, cost: Cost, finish: FinishPredict, *, together: bool) -> None:
        self._job, self._finish = job, finish
        self._left, self._together = job.queries, together
        self._size = len(job.queries) if together else piece_size(len(job.queries), cost)
        self._answers: list[Array] = []
        self._seconds = 0.0
        self.piece_s = cost.seconds / ceil(len(job.queries) / self._size)

    def advance(self, device: Device) -> Array | Diverged | None:
        """Answer some queries. Returns the answers to all when none are left."""
        elapsed = device.timer()
        [answers] = device.predict([self._job._replace(queries=self._left[: self._size])])
        self._seconds += elapsed()
        if isinstance(answers, Diverged):
            return answers
        self._answers.append(answers)
        self._left = self._left[self._size :]
        return None if len(self._left) else self._finish(self._job, np.concatenate(self._answers), self._seconds)

    def next_is_short(self) -> bool:
        """Queries that are answered together are one piece."""
        return self.piece_s <= SHORT_S

    def shrink(self) -> bool:
        """Answer half as many queries at a time."""
        self._size, before = max(1, self._size // 2), self._size
        return self._size < before and not self._together


def piece_size(count: int, cost: Cost) -> int:
    """How many of `count` examples take about `PIECE_S`, if they are what the job costs; all, if it is short."""
    if cost.seconds <= SHORT_S:
        return max(1, count)
    return max(1, min(count, int(count * PIECE_S / max(cost.seconds, PIECE_S))))
