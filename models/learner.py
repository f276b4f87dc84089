"""The contract of every algorithm: two pure functions.

    adapt(support) -> state          predict(state, query) -> logits or values

Pure means that nothing is written to `self`, to buffers or to the arguments, so one learner serves any number of
clients, and a state can be stored, moved and replayed. It does not mean thread-safe: give each thread a learner of its
own. Learners are written for ONE client; `functional.py` batches them from outside.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

State = dict[str, Tensor]
"""What adaptation makes of a support set: a flat dict of finite, contiguous tensors that own their memory."""


class Kind(StrEnum):
    """What a learner predicts."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Support(NamedTuple):
    """The labelled examples of one client.

    inputs   (n, *input)         what the encoder takes
    targets  (n,) int64          class indices 0 .. ways-1; for regression (n, outputs) floats
    mask     (n,) bool           False marks padding, which must change nothing
    ways                         number of classes; 0 for regression
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor
    ways: int


class Learner(nn.Module, ABC):
    """An algorithm with meta-trained weights. `eval()` mode is what is served; `train()` mode is for meta-training."""

    algorithm: ClassVar[str]
    paper: ClassVar[str]

    transductive: ClassVar[bool] = False
    """The answer to one query may depend on the other queries of the request."""
    order_sensitive: ClassVar[bool] = False
    """The order of the support may change the answers."""

    kind: Kind = Kind.CLASSIFICATION
    max_ways: int | None = None
    """Size of a fixed head, whose rows mean nothing before labels are given: permuting the classes permutes the
    answers in expectation only. None: any number of classes, and exactly permuted."""

    @abstractmethod
    def adapt(self, support: Support) -> State:
        """Learn from one client's support set."""

    @abstractmethod
    def predict(self, state: State, query: Tensor) -> Tensor:
        """Answer `query` (q, *input) with logits (q, ways), or with values (q, outputs) for regression."""
