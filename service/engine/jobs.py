"""What waits for the device, and what the device makes of it."""

from typing import NamedTuple

from torch import Tensor

from models.learner import State
from service.arrays import Array, Arrays
from service.engine.base import SupportSet


class AdaptJob(NamedTuple):
    """A support set to adapt to. `features` are those of its first examples, where they are cached."""

    model: str
    key: str
    support: SupportSet
    features: Tensor | None = None

    def new_inputs(self) -> Array:
        """The inputs (n, *input) that are not encoded yet."""
        return self.support.inputs if self.features is None else self.support.inputs[len(self.features) :]


class PredictJob(NamedTuple):
    """Queries (q, *input), and the state that answers them."""

    model: str
    state: State
    queries: Array


class Kept(NamedTuple):
    """What the cache keeps of a client on the device: its state, and the features of its support set.

    Features are None where the model does not encode, or where only the state came back from the store.
    """

    state: State
    features: Tensor | None = None

    def nbytes(self) -> int:
        """Size in bytes."""
        tensors = [*self.state.values(), *([] if self.features is None else [self.features])]
        return sum(tensor.nbytes for tensor in tensors)


class Adapted(NamedTuple):
    """The result of an adapt: the state in host memory for the store, and what stays on the device."""

    state: Arrays
    kept: Kept
