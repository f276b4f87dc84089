"""Meta-SGD: Li, Zhou, Chen, Li 2017, "Meta-SGD: Learning to Learn Quickly for Few-Shot Learning".

arXiv:1707.09835
"""

from typing import Any

import torch
from torch import nn

from models.encoders import Encoder
from models.learner import State
from models.learners.maml import MAML


class MetaSGD(MAML):
    """MAML with a learned rate for every coordinate of every weight (equation 2); a rate may turn negative.

    All rates begin at `rate`, where the paper draws each from U[0.005, 0.1]: a draw adds noise that training has to
    remove, and 0.1 is far below what a mean-reduced loss wants on drawings. One inner step is the paper's; several
    share their rates. The rates are held flat, so that the loop takes no weight decay from them.
    """

    algorithm = "Meta-SGD"
    paper = "Li, Zhou, Chen, Li 2017, arXiv:1707.09835"

    def __init__(self, encoder: Encoder, outputs: int, **options: Any) -> None:
        super().__init__(encoder, outputs, **options)
        rates = {key_of(name): torch.full((value.numel(),), self.rate) for name, value in self.named_parameters()}
        self.rates = nn.ParameterDict(rates)

    def update(self, number: int, params: State, gradients: State) -> State:
        """Descend by each coordinate's own rate. The rows of a head come first, and so do their rates."""
        rates = {name: self.rates[key_of(name)][: value.numel()].view_as(value) for name, value in params.items()}
        return {name: value - rates[name] * gradients[name] for name, value in params.items()}


def key_of(name: str) -> str:
    """The name of a weight as a key of a ParameterDict, which takes no dots."""
    return name.replace(".", "-")
