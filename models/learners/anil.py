"""ANIL: Raghu et al. 2020, "Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of MAML".

arXiv:1909.09157
"""

import torch.nn.functional as F
from torch import Tensor

from models.learner import State, Support
from models.learners.maml import MAML


class ANIL(MAML):
    """MAML whose inner loop adapts the head alone (section 4).

    The body is shared by all clients, so that a state is ways * (d + 1) numbers.
    """

    algorithm = "ANIL"
    paper = "Raghu, Raghu, Bengio, Vinyals 2020, arXiv:1909.09157"

    def adapt(self, support: Support) -> State:
        """The adapted head: weight (ways, d) and bias (ways,)."""
        features = self.encoder(support.inputs)

        def loss(head: State) -> Tensor:
            return self.loss(F.linear(features, **head), support.targets, support.mask)

        return self.inner_loop(loss, self.initial_head(support))

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the client's head on shared features."""
        return F.linear(self.encoder(query), **state)
