"""Large jobs, cut into pieces: inputs are encoded, and queries answered, some at a time."""

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from torch import Tensor

from service.arrays import Array, Arrays
from service.engine.costs import PIECE_S, Cost
from service.engine.device import Device
from service.engine.jobs import Adapted, AdaptJob, PredictJob
from service.errors import Diverged

SHORT_S = 0.1
"""Others wait for the end of a piece of at most so many estimated seconds. In longer ones it pauses for them."""

FinishAdapt = Callable[[AdaptJob, Adapted | Diverged, float], Arrays | Diverged]
FinishPredict = Callable[[PredictJob, Array, float], Array | Diverged]


class EncodedInPieces:
    """Inputs that are encoded some at a time, after the features that a job has already.

    Args:
        job: Its features are known; its model encodes, for its tenant.
        inputs: The inputs (n, *input) that are left.
        cost: The estimated cost of encoding all.
    """

    def __init__(self, job: AdaptJob, inputs: Array, cost: Cost) -> None:
        self._job, self._left, self._size = job, inputs, piece_size(len(inputs), cost)
        self._features: list[Tensor] = [] if job.features is None else [job.features]
        self.pieces = ceil(len(inputs) / self._size)

    def __len__(self) -> int:
        """How many inputs are left."""
        return len(self._left)

    def advance(self, device: Device) -> None:
        """Encode some inputs."""
        self._features += device.encode(self._job.model, [self._left[: self._size]], [self._job.tenant])
        self._left = self._left[self._size :]

    def features(self) -> Tensor | None:
        """The features of all that is encoded; None if there are none."""
        return torch.cat(self._features) if self._features else None

    def split(self, count: int) -> tuple[Tensor, Tensor]:
        """The features of the first `count` examples or inputs, and those of the others."""
        first, others = torch.cat(self._features).tensor_split([count])
        return first, others

    def shrink(self) -> bool:
        """Encode half as many inputs at a time. Returns whether that is possible."""
        self._size, before = max(1, self._size // 2), self._size
        return self._size < before


class EncodesFirst:
    """A large job that encodes its inputs some at a time, and then computes `_together` results at a time."""

    _encoding: EncodedInPieces
    _together: int
    piece_s: float

    def next_is_short(self) -> bool:
        """A result of a slow learner may take long."""
        return bool(self._encoding) or self.piece_s <= SHORT_S

    def shrink(self) -> bool:
        """Encode half as many inputs, or compute half as many results, at a time."""
        if self._encoding:
            return self._encoding.shrink()
        self._together, before = max(1, self._together // 2), self._together
        return self._together < before


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
        left = job.new_inputs() if encodes and not self._is_short else job.support.inputs[:0]
        self._encoding, self._seconds = EncodedInPieces(job, left, cost), 0.0
        self.piece_s = cost.seconds / (1 + self._encoding.pieces)

    def advance(self, device: Device) -> Arrays | Diverged | None:
        """Encode some examples; adapt when all are encoded."""
        elapsed = device.timer()
        if self._encoding:
            self._encoding.advance(device)
            self._seconds += elapsed()
            return None
        [adapted] = device.adapt([self._job._replace(features=self._encoding.features())])
        return self._finish(self._job, adapted, self._seconds + elapsed())

    def next_is_short(self) -> bool:
        """The adapt itself may take most of the time."""
        return self._is_short or bool(self._encoding)

    def shrink(self) -> bool:
        """Encode half as many examples at a time."""
        return bool(self._encoding) and self._encoding.shrink()


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
