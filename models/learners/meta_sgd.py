"""Meta-SGD: Li, Zhou, Chen, Li 2017, "Meta-SGD: Learning to Learn Quickly for Few-Shot Learning".

arXiv:1707.09835
"""

from typing import Any

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import State
from models.learners.maml import MAML


class MetaSGD(MAML):
    """MAML with a learned learning rate for every coordinate of every weight (equation 2). A rate may become negative.

    All rates start at `inner_lr`, where the paper draws each from U[0.005, 0.1]: a draw adds noise that training has
    to remove, and 0.1 is far too small for a mean-reduced loss on drawings. The paper takes one inner step; several
    steps share their rates. The rates are flat vectors, so that the training loop takes no weight decay from them.

    The arguments are those of `MAML`.
    """

    algorithm = "Meta-SGD"
    paper = "Li, Zhou, Chen, Li 2017, arXiv:1707.09835"
    own_updates = True

    def __init__(self, encoder: Encoder, outputs: int | None = None, **options: Any) -> None:
        super().__init__(encoder, outputs, **options)
        rates = {key_of(name): torch.full((value.numel(),), self.inner_lr) for name, value in self.layers().items()}
        self.rates = nn.ParameterDict(rates)

    def update(self, number: int, params: State, gradients: State) -> State:
        """Descend by each coordinate's own rate. The first rows of a learned head use the first rates; all rows of a
        head of zeros share theirs."""
        return {name: value - self.lrs_of(name, value) * gradients[name] for name, value in params.items()}

    def lrs_of(self, name: str, value: Tensor) -> Tensor:
        """The learning rates of a weight, which broadcast to its shape."""
        rates: Tensor = self.rates[key_of(name)]
        return rates[: value.numel()].view(-1, *value.shape[1:])


def key_of(name: str) -> str:
    """The name of a weight as a key of a ParameterDict, which takes no dots."""
    return name.replace(".", "-")
