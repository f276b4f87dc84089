"""RL2: Duan et al. 2016, "RL2: Fast Reinforcement Learning via Slow Reinforcement Learning", arXiv:1611.02779."""

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Kind, Learner, State, Support
from models.learners.conditional_neural_process import layers
from models.recurrent import gru_step


class RecurrentPolicy(Learner):
    """A GRU reads a client's own steps in their order. Its hidden state is all that the client's policy knows.

    An example is a step of a trajectory: its input is the state and, as last number, the reward; its target is the
    action. The last number of a query is not read. Nothing is adapted by gradients. Meta-training is as for the policy
    gradient that stands beside it: by reinforcement, as in the paper, or by imitation of the best actions. Unlike in
    the paper, the policy reads what a client posted, not each step as it is taken.

    Args:
        encoder: The encoder of states, which all clients share.
        outputs: Numbers in an action.
        width: Hidden units of the GRU, and numbers in a state.
    """

    algorithm = "RL2, a recurrent policy"
    paper = "Duan et al. 2016, arXiv:1611.02779; Mendonca et al. 2019, arXiv:1904.00956"
    kind = Kind.REGRESSION
    order_sensitive = True

    def __init__(self, encoder: Encoder, outputs: int, width: int = 64) -> None:
        super().__init__()
        self.encoder, self.outputs = encoder, outputs
        self.read = layers(encoder.feature_dim + 1 + outputs, width, width)
        self.cell = nn.GRUCell(width, width)
        self.policy = layers(encoder.feature_dim + width, width, width, outputs)

    def encode(self, inputs: Tensor) -> Tensor:
        """The features of the state, and the reward, (n, d + 1)."""
        features: Tensor = self.encoder(inputs[..., :-1])
        return torch.cat([features, inputs[..., -1:]], -1)

    def adapt(self, support: Support) -> State:
        """The hidden state (width,) after the last step. Padding leaves it as it is."""
        steps = self.read(torch.cat([support.inputs, support.targets.to(support.inputs.dtype)], -1))
        hidden = torch.zeros_like(steps[0])
        for step, real in zip(steps.unbind(), support.mask.unbind(), strict=True):
            hidden = torch.where(real, gru_step(self.cell, step, hidden), hidden)
        return {"hidden": hidden}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """The actions (q, outputs) of the client's policy."""
        known = state["hidden"].expand(query.shape[0], -1)
        actions: Tensor = self.policy(torch.cat([query[..., :-1], known], -1))
        return actions
