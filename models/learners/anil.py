"""ANIL: Raghu et al. 2020, "Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of MAML".

arXiv:1909.09157
"""

import torch.nn.functional as F
from torch import Tensor

from models import native
from models.learner import State, Support
from models.learners.maml import MAML


class ANIL(MAML):
    """MAML whose inner loop adapts the head only (section 4).

    All clients share the encoder, so a state is ways * (d + 1) numbers.
    """

    algorithm = "ANIL"
    paper = "Raghu, Raghu, Bengio, Vinyals 2020, arXiv:1909.09157"

    def encode(self, inputs: Tensor) -> Tensor:
        """Features (n, d)."""
        return native.encode(self.encoder, inputs)

    def adapt(self, support: Support) -> State:
        """The adapted head: weight (ways, d) and bias (ways,)."""
        return self.inner_loop(self.support_loss(support), self.initial_head(support))

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the client's head."""
        return F.linear(query, **state)
