"""ALFA: Baik, Choi, Choi, Kim, Lee 2020, "Meta-Learning with Adaptive Hyperparameters".

arXiv:2011.00209
"""

from typing import Any

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import State
from models.learners.maml import MAML


class ALFA(MAML):
    """MAML whose step sizes and decays are generated for the task at each step: theta <- beta theta - alpha gradient.

    A network with one hidden layer reads the means of every layer's weights and gradients (section 3.2); a layer is a
    weight or a bias. For each layer it returns (a, b), and with a learned value for each layer and step,
    alpha = (1 + a) * step size and beta = (1 + b) * decay. Its last layer starts at zero, so the first step of
    meta-training is MAML's at `inner_lr` without decay; the authors multiply by a and b themselves, which are random
    at first. The values are learned for `inner_steps` steps. A later step takes the last one's, and may diverge.

    The arguments are those of `MAML`.
    """

    algorithm = "ALFA"
    paper = "Baik, Choi, Choi, Kim, Lee 2020, arXiv:2011.00209"
    own_updates = True
    exact_states = True

    def __init__(self, encoder: Encoder, outputs: int | None = None, **options: Any) -> None:
        super().__init__(encoder, outputs, **options)
        layers = len(self.layers())
        last = nn.Linear(2 * layers, 2 * layers)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.generator = nn.Sequential(nn.Linear(2 * layers, 2 * layers), nn.ReLU(), last)
        # Flat vectors, so that the training loop takes no weight decay from them.
        self.step_sizes = nn.Parameter(torch.full((self.inner_steps * layers,), self.inner_lr))
        self.decays = nn.Parameter(torch.ones(self.inner_steps * layers))

    def update(self, number: int, params: State, gradients: State) -> State:
        """Decay and descend, layer by layer."""
        alphas, betas = self.hyperparameters(number, params, gradients)
        layers = zip(params.items(), alphas, betas, strict=True)
        return {name: beta * value - alpha * gradients[name] for (name, value), alpha, beta in layers}

    def hyperparameters(self, number: int, params: State, gradients: State) -> tuple[Tensor, Tensor]:
        """Alpha and beta of this step, (layers,) each, from the task's weights and gradients."""
        means = torch.stack([value.mean() for values in (params, gradients) for value in values.values()])
        by_size, by_decay = (1 + self.generator(means)).chunk(2)
        layers, at = len(params), min(number, self.inner_steps - 1)
        return by_size * self.step_sizes.view(-1, layers)[at], by_decay * self.decays.view(-1, layers)[at]
