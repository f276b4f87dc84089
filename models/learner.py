"""The contract of every algorithm: three pure functions.

    encode(inputs) -> features      adapt(support) -> state      predict(state, query) -> logits or values

`encode` uses weights that all clients share, so that the examples of all waiting clients are encoded in one pass.
`adapt` and `predict` get features. A learner whose clients own the whole network does not override `encode`, and gets
the inputs themselves.

Pure means that nothing is written to `self`, to buffers or to the arguments, so one learner serves any number of
clients, and a state can be stored, moved and replayed. It does not mean thread-safe: give each thread a learner of its
own. Learners are written for ONE client; `functional.py` batches them from outside.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from models.losses import cross_entropy, squared_error

State = dict[str, Tensor]
"""What adaptation makes of a support set: a flat dict of finite, contiguous tensors that own their memory."""


class Kind(StrEnum):
    """What a learner predicts."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Support(NamedTuple):
    """The labelled examples of one client.

    inputs   (n, *features)      what `encode` returns
    targets  (n,) int64          class indices 0 .. ways-1; for regression (n, outputs) floats
    mask     (n,) bool           False marks padding, which must change nothing
    ways                         number of classes; 0 for regression
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor
    ways: int


class Episode(NamedTuple):
    """One task: learn from `support`, answer `query` (q, *input), be judged by `targets` (q,) or (q, outputs)."""

    support: Support
    query: Tensor
    targets: Tensor


class Learner(nn.Module, ABC):
    """An algorithm with meta-trained weights. `eval()` mode is what is served; `train()` mode is for meta-training."""

    algorithm: ClassVar[str]
    paper: ClassVar[str]

    transductive: ClassVar[bool] = False
    """The answer to one query may depend on the other queries of the request."""
    order_sensitive: bool = False
    """The order of the support may change the answers."""

    exact_states: ClassVar[bool] = False
    """A client's weights must be kept in 32 bits: rounding what adaptation changed to 16 moves a probability by more
    than 1e-3 (`python -m benchmarks.agreement`)."""

    kind: Kind = Kind.CLASSIFICATION
    max_ways: int | None = None
    """Size of a fixed head, whose rows mean nothing before labels are given: permuting the classes permutes the
    answers in expectation only. None: any number of classes, and exactly permuted."""
    max_examples: ClassVar[int | None] = None
    """Of a support set, where time or memory grow faster than their number. None: any number."""

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, *features) of inputs (n, *input). The features of one input do not depend on the others.

        The identity, unless the learner has an encoder that all clients share.
        """
        return inputs

    @abstractmethod
    def adapt(self, support: Support) -> State:
        """Learn from one client's support set."""

    @abstractmethod
    def predict(self, state: State, query: Tensor) -> Tensor:
        """Answer `query` (q, *input) with logits (q, ways), or with values (q, outputs) for regression."""

    def loss(self, answers: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """The mean loss of answers over the unmasked examples."""
        lost = cross_entropy if self.kind is Kind.CLASSIFICATION else squared_error
        return lost(answers, targets, mask)

    def outer_loss(self, episode: Episode, done: float) -> Tensor:
        """What meta-training minimises: what is lost on an episode's queries after adapting to its support.

        A learner whose outer step is another overrides it. `done` is the share of the training that is behind, 0 to 1,
        for what changes on the way.
        """
        answers = self.predict(self.adapt(episode.support), episode.query)
        return self.loss(answers, episode.targets, everyone(episode.targets))


def everyone(targets: Tensor) -> Tensor:
    """The mask of a set without padding."""
    return torch.ones(len(targets), dtype=torch.bool, device=targets.device)
