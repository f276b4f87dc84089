"""Conditional neural processes: Garnelo et al. 2018, "Conditional Neural Processes", arXiv:1807.01613."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.learner import Kind, Learner, State, Support

LEAST_DEVIATION = 0.01
"""The smallest standard deviation of an answer."""


class ConditionalNeuralProcess(Learner):
    """A network reads each example, the mean of what it reads is the state, and a decoder answers queries from it.

    An answer is a normal distribution. Meta-training maximises its likelihood (equation 4), so the deviations are as
    large as the errors. Nothing is adapted by gradients.

    Args:
        encoder: The encoder of the inputs, which all clients share.
        outputs: Numbers in one answer.
        width: Units of the hidden layers, and numbers in a state.
    """

    algorithm = "Conditional neural process"
    paper = "Garnelo et al. 2018, arXiv:1807.01613"
    kind = Kind.REGRESSION
    deviations = True

    def __init__(self, encoder: Encoder, outputs: int = 1, width: int = 128) -> None:
        super().__init__()
        self.encoder = encoder
        self.pair = layers(encoder.feature_dim + outputs, width, width, width)
        self.decoder = layers(encoder.feature_dim + width, width, width, 2 * outputs)

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d)."""
        return native.encode(self.encoder, inputs)

    def adapt(self, support: Support) -> State:
        """The mean (width,) of the examples' representations."""
        weights = support.mask.to(support.inputs.dtype)
        return {"mean": weights @ self.read(support) / weights.sum()}

    def read(self, support: Support) -> Tensor:
        """The representations (n, width) of the examples."""
        read: Tensor = self.pair(torch.cat([support.inputs, support.targets.to(support.inputs.dtype)], -1))
        return read

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Values and their standard deviations, (q, 2 * outputs)."""
        values, spread = self.decoder(torch.cat([query, self.context(state, query)], -1)).chunk(2, -1)
        return torch.cat([values, LEAST_DEVIATION + F.softplus(spread)], -1)

    def context(self, state: State, query: Tensor) -> Tensor:
        """What the decoder gets of the examples for each query, (q, width)."""
        return state["mean"].expand(query.shape[0], -1)


def layers(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    modules = [module for a, b in pairwise(widths) for module in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*modules[:-1])
