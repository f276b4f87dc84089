"""CAVIA: Zintgraf et al. 2019, "Fast Context Adaptation via Meta-Learning".

arXiv:1810.03642
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from models.encoders.conv4 import Conv4
from models.encoders.mlp import MLP
from models.learner import State, Support
from models.learners.maml import MAML

LAST_NORM = "blocks.3.1"


class CAVIA(MAML):
    """A network shared by all clients that takes a vector of context numbers, all that is adapted (section 3).

    The context is zero at the start of every task, which is why an inner rate of 1 is not too much.
    Vectors: the context is appended to the input, so that the MLP is built with `inputs` + `context`.
    Images: the context gives, linearly, what is added to the scale and the shift of the last block's norm, which is
    FiLM of normalised maps before their ReLU; the authors do that in the third block. The weights that make them of
    the context begin larger than torch would have them, or an inner rate of 1 would hardly move the maps.
    """

    algorithm = "CAVIA"
    paper = "Zintgraf, Shiarlis, Kurin, Hofmann, Whiteson 2019, arXiv:1810.03642"
    head: nn.Linear

    def __init__(
        self, encoder: Conv4 | MLP, outputs: int, context: int = 100, rate: float = 1.0, **options: Any
    ) -> None:
        super().__init__(encoder, outputs, rate=rate, **options)
        self.context = context
        if isinstance(encoder, Conv4):
            self.film = nn.Linear(context, 2 * encoder.features, bias=False)
            nn.init.normal_(self.film.weight, std=0.5)

    def initial(self, support: Support) -> State:
        """The context zero, and the head's bias, which is never adapted: predict learns the number of classes by it."""
        return {"context": self.head.bias.new_zeros(self.context), "bias": self.head.bias[: support.ways or None]}

    def update(self, number: int, params: State, gradients: State) -> State:
        """Descend in the context alone."""
        return params | {"context": params["context"] - self.rate * gradients["context"]}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the shared network in the client's context."""
        features, bias = self.features(query, state["context"]), state["bias"]
        return F.linear(features, self.head.weight[: bias.shape[0]], bias)

    def features(self, inputs: Tensor, context: Tensor) -> Tensor:
        """Features (n, d) of inputs (n, *input) in a context."""
        if isinstance(self.encoder, Conv4):
            norm = {name: self.encoder.get_parameter(f"{LAST_NORM}.{name}") for name in ("weight", "bias")}
            added = dict(zip(norm, self.film(context).chunk(2), strict=True))
            modulated = {f"{LAST_NORM}.{name}": norm[name] + added[name] for name in norm}
            features: Tensor = functional_call(self.encoder, modulated, (inputs,))
        else:
            features = self.encoder(torch.cat([inputs, context.expand(len(inputs), -1)], -1))
        return features
