"""The contract of every algorithm: three pure functions.

    encode(inputs) -> features      adapt(support) -> state      predict(state, query) -> logits or values

`encode` uses weights that all clients share, so the examples of all waiting clients are encoded in one pass. `adapt`
and `predict` take features. A learner whose clients own the whole network inherits `encode`, the identity, and takes
the inputs themselves.

Pure means that nothing is written to `self`, to buffers or to arguments. One learner therefore serves any number of
clients, and a state can be stored, moved and replayed. Pure does not mean thread-safe: each thread needs its own
learner. Learners are written for one client; `functional.py` batches over clients.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from models.gaussian import negative_log_likelihood
from models.losses import cross_entropy, squared_error

State = dict[str, Tensor]
"""What adaptation makes of a support set: a flat dict of finite, contiguous tensors that own their memory."""


class Kind(StrEnum):
    """What a learner predicts."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Support(NamedTuple):
    """The labelled examples of one client.

    inputs   (n, *input), or (n, *features) after `encode`
    targets  (n,) int64: class indices 0 .. ways-1; for regression (n, outputs) floats
    mask     (n,) bool: False marks padding, which must change nothing
    ways     number of classes; 0 for regression
    names    (ways, *features) after `encode`: the names of the classes, encoded like inputs; None: not known
    weights  (n,) what each example counts for, 0 to 1, for learners with `weighted_examples`; None: 1
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor
    ways: int
    names: Tensor | None = None
    weights: Tensor | None = None

    def counts(self, like: Tensor) -> Tensor:
        """What each example counts for, (n,), in the dtype of `like`. Padding counts nothing."""
        return self.mask.to(like.dtype) if self.weights is None else self.weights.to(like.dtype) * self.mask

    def counted(self) -> Self:
        """The same, with examples of weight 0 as padding."""
        return self if self.weights is None else self._replace(mask=self.mask & (self.weights > 0))


class Contributions(NamedTuple):
    """What the explained differences of q answers are made of. All of it adds up to them.

    examples   (q, n): of each example; 0 for padding
    base       (q,): of no example
    names      (q, ways): of the name of each class; None: names are not used
    """

    examples: Tensor
    base: Tensor
    names: Tensor | None = None


class Episode(NamedTuple):
    """One task: learn from `support`, then answer `query` (q, *input), whose `targets` are (q,) or (q, outputs)."""

    support: Support
    query: Tensor
    targets: Tensor


class Learner(nn.Module, ABC):
    """An algorithm with meta-trained weights. `eval()` mode serves clients; `train()` mode is for meta-training."""

    algorithm: ClassVar[str]
    paper: ClassVar[str]

    transductive: ClassVar[bool] = False
    """Whether the answer to a query may depend on the other queries of the request."""
    order_sensitive: bool = False
    """Whether the order of the support may change the answers."""

    exact_states: ClassVar[bool] = False
    """Whether states must stay in 32 bits: rounding the adapted weights to 16 bits changes a probability by more than
    1e-3 (`python -m benchmarks.agreement`)."""

    kind: Kind = Kind.CLASSIFICATION
    deviations: bool = False
    """Whether a regression predicts how sure it is: answers are then (q, 2 * outputs), the values and after them the
    standard deviation of each. Intervals are as wide as these say."""
    learns_unit: ClassVar[bool] = False
    """Whether a regression learns the unit of the values from the examples alone, so that it needs a few to know it."""
    max_ways: int | None = None
    """Size of a fixed head. Its rows are interchangeable before adaptation, so permuting the classes permutes the
    answers in expectation only. None: any number of classes, and exact permutation."""
    uses_class_names: ClassVar[bool] = False
    """Whether the names of the classes are encoded and given to `adapt`. Renaming a class may then change answers. The
    state has the tensor `names` (ways,): what each name counts for, 0 where it is not used."""
    several_labels: bool = False
    """Whether clients may give several labels to an example. Then `one_vs_rest.py` answers from the features, which are
    vectors (n, d) of a length that all clients share."""
    weighted_examples: ClassVar[bool] = False
    """Whether `adapt` takes `weights`. An example of weight 0 then counts as one that is not there."""
    max_examples: ClassVar[int | None] = None
    """Largest support set, for learners whose time or memory grows faster than its size. None: no limit."""

    explains: ClassVar[Literal["logits", "votes"] | None] = None
    """What the contributions of `explain` add up to: differences of logits, or of a learner's own probabilities. None:
    there is no exact decomposition, and what an example contributes is what changes when it is left out."""

    def encode(self, inputs: Any) -> Tensor:
        """Encode inputs (n, *input), or n texts, to features (n, *features) with weights that all clients share.

        The features of an input do not depend on the other inputs. The default is the identity.
        """
        features: Tensor = inputs
        return features

    @abstractmethod
    def adapt(self, support: Support) -> State:
        """Learn from one client's support set, whose inputs are features."""

    @abstractmethod
    def predict(self, state: State, query: Tensor) -> Tensor:
        """Answer query features (q, *features) with logits (q, ways), or with values (q, outputs) for regression, and
        after them their standard deviations if the learner has `deviations`."""

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes to answers, for learners with `explains`.

        Args:
            support: The encoded support set of one client.
            query: Query features (q, *features).
            contrast: The difference that is explained: weights of the logits (q, ways) or values (q, outputs).
        """
        raise NotImplementedError(f"{self.algorithm} has no exact decomposition")

    def encode_support(self, support: Support) -> Support:
        """The support set with features in place of inputs."""
        names = None if support.names is None else self.encode(support.names)
        return support._replace(inputs=self.encode(support.inputs), names=names)

    def answer(self, support: Support, query: Tensor) -> Tensor:
        """Encode, adapt and predict: the answers to queries (q, *input) after learning from a support set of inputs."""
        return self.predict(self.adapt(self.encode_support(support)), self.encode(query))

    def loss(self, answers: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """The mean loss of the answers to the unmasked examples."""
        if self.kind is Kind.CLASSIFICATION:
            return cross_entropy(answers, targets, mask)
        return (negative_log_likelihood if self.deviations else squared_error)(answers, targets, mask)

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The loss that meta-training minimises. By default the query loss after adaptation.

        Args:
            episode: A task of inputs, not yet encoded.
            progress: The share of the training that is done, 0 to 1, for losses that change during training.
        """
        answers = self.answer(episode.support, episode.query)
        return self.loss(answers, episode.targets, full_mask(episode.targets))


def full_mask(targets: Tensor) -> Tensor:
    """The mask of a set without padding, (n,)."""
    return torch.ones(len(targets), dtype=torch.bool, device=targets.device)
