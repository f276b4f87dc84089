"""Jobs for the device, and their results."""

from typing import NamedTuple

from torch import Tensor

from models.learner import State
from service.arrays import Array, Arrays, SupportSet


class AdaptJob(NamedTuple):
    """A support set to adapt to. `features` are the cached features of its first examples, if there are any."""

    model: str
    key: str
    support: SupportSet
    features: Tensor | None = None
    tenant: str = ""

    def new_inputs(self) -> Array:
        """The inputs (n, *input) that are not encoded yet."""
        return self.support.inputs if self.features is None else self.support.inputs[len(self.features) :]


class PredictJob(NamedTuple):
    """Queries (q, *input), and the state that answers them."""

    model: str
    state: State
    queries: Array
    tenant: str = ""


class Kept(NamedTuple):
    """A client's entry in the cache of the device: its state and the features of its support set.

    Features are None if the model does not encode, or if the state was loaded from the store. `targets` and `weights`
    belong to them.
    """

    state: State
    features: Tensor | None = None
    targets: Array | None = None
    weights: Array | None = None

    def nbytes(self) -> int:
        """Size in bytes."""
        tensors = [*self.state.values(), *([] if self.features is None else [self.features])]
        return sum(tensor.nbytes for tensor in tensors)


class HeldOut(NamedTuple):
    """Answers to examples that were left out, and how familiar they are, (n,); None: the model cannot tell."""

    answers: Array
    familiar: Array | None


class Adapted(NamedTuple):
    """The result of an adapt: the state in host memory, for the store, and the entry that stays on the device."""

    state: Arrays
    kept: Kept
