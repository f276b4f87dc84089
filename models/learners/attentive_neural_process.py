"""Attentive neural processes: Kim et al. 2019, "Attentive Neural Processes", arXiv:1901.05761."""

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import State, Support
from models.learners.conditional_neural_process import ConditionalNeuralProcess, layers
from models.learners.transformer import attention


class AttentiveNeuralProcess(ConditionalNeuralProcess):
    """Each query attends to the examples, where a conditional neural process takes their mean.

    The mean makes answers miss the examples themselves, because it forgets which example lies near a query (section 1).
    This is the deterministic path of the paper: cross-attention of many heads, with the inputs as queries and keys. The
    latent path, which draws whole functions that agree with themselves, is left out: an answer has one distribution.

    Args:
        encoder: The encoder of the inputs, which all clients share.
        outputs: Numbers in one answer.
        width: Units of the hidden layers.
        heads: Attention heads.
    """

    algorithm = "Attentive neural process"
    paper = "Kim et al. 2019, arXiv:1901.05761"

    def __init__(self, encoder: Encoder, outputs: int = 1, width: int = 128, heads: int = 8) -> None:
        super().__init__(encoder, outputs, width)
        self.heads = heads
        self.key = layers(encoder.feature_dim, width, width)
        self.value, self.mix = nn.Linear(width, width), nn.Linear(width, width)

    def adapt(self, support: Support) -> State:
        """Keys and values (n, width) of the examples, and 1 for each that is no padding, (n,)."""
        values = self.value(self.read(support))
        return {"keys": self.key(support.inputs), "values": values, "real": support.mask.to(values.dtype)}

    def context(self, state: State, query: Tensor) -> Tensor:
        """What each query finds in the examples, (q, width)."""
        found = attention(self.key(query), state["keys"], state["values"], state["real"] > 0, self.heads)
        context: Tensor = self.mix(torch.relu(found))
        return context
