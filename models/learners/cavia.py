"""CAVIA: Zintgraf et al. 2019, "Fast Context Adaptation via Meta-Learning".

arXiv:1810.03642
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders.conv4 import Conv4
from models.encoders.mlp import MLP
from models.learner import State, Support
from models.learners.maml import MAML

LAST_NORM = "blocks.3.1"
FILM = 0.05
"""Standard deviation of the first map from the context to scales and shifts: what an inner learning rate of 1 needs."""


class CAVIA(MAML):
    """A network that all clients share and that takes a context vector, the only thing that is adapted (section 3).

    The context starts at zero for every task, which is why an inner learning rate of 1 works. The network reads the
    context everywhere, so there is nothing to encode ahead of it.
    Vectors: the context is appended to the input, so the MLP is built with `inputs` + `context` inputs.
    Images: a linear map of the context is added to the scale and the shift of the last block's norm, which is FiLM of
    normalised maps before their ReLU; the authors do this in the third block. Another linear map of the context is
    added to the head, which the authors' context does not reach: FiLM alone cannot give five new classes to five fixed
    rows, and stops at 76 % on 5-way 1-shot drawings. The head starts at zero and its map as an orthogonal one, so that
    the first step of an untrained head is that of a head of zeros that is adapted itself.

    Args:
        encoder: The shared network.
        outputs: Rows of the shared head.
        context: Length of the context vector.
        inner_lr: Learning rate of the context.
        head_lr: For images: the first learning rate of the head through its map, where the context has at least as many
            numbers as the head.
        options: Others of `MAML`.
    """

    algorithm = "CAVIA"
    paper = "Zintgraf, Shiarlis, Kurin, Hofmann, Whiteson 2019, arXiv:1810.03642"
    own_updates = True
    head: nn.Linear

    def __init__(
        self,
        encoder: Conv4 | MLP,
        outputs: int,
        context: int = 100,
        inner_lr: float = 1.0,
        head_lr: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(encoder, outputs, inner_lr=inner_lr, **options)
        self.context = context
        if isinstance(encoder, Conv4):
            self.film = nn.Linear(context, 2 * encoder.feature_dim, bias=False)
            nn.init.normal_(self.film.weight, std=FILM)
            self.rows = nn.Linear(context, outputs * encoder.feature_dim, bias=False)
            nn.init.orthogonal_(self.rows.weight, gain=(head_lr / inner_lr) ** 0.5)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def initial(self, support: Support) -> State:
        """The context zero, and the head's bias, which is never adapted but tells `predict` the number of classes."""
        return {"context": self.head.bias.new_zeros(self.context), "bias": self.head.bias[: support.ways or None]}

    def update(self, number: int, params: State, gradients: State) -> State:
        """Descend in the context only."""
        return params | {"context": params["context"] - self.inner_lr * gradients["context"]}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the shared network in the client's context."""
        context, bias = state["context"], state["bias"]
        return F.linear(self.in_context(query, context), self.head_in(context)[: bias.shape[0]], bias)

    def head_in(self, context: Tensor) -> Tensor:
        """The weights of the head (outputs, d) in a context."""
        shared: Tensor = self.head.weight
        return shared + self.rows(context).view_as(shared) if isinstance(self.encoder, Conv4) else shared

    def in_context(self, inputs: Tensor, context: Tensor) -> Tensor:
        """Features (n, d) of inputs (n, *input) in a context."""
        if not isinstance(self.encoder, Conv4):
            return native.encode(self.encoder, torch.cat([inputs, context.expand(inputs.shape[0], -1)], -1))
        weights = self.encoder.weights()
        for name, added in zip(("weight", "bias"), self.film(context).chunk(2), strict=True):
            weights[f"{LAST_NORM}.{name}"] = weights[f"{LAST_NORM}.{name}"] + added
        return native.encode(self.encoder, inputs, weights)
