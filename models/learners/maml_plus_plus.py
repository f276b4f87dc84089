"""MAML++: Antoniou, Edwards, Storkey 2019, "How to train your MAML".

arXiv:1810.09502
"""

from typing import Any

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Episode, State
from models.learners.maml import MAML
from models.learners.meta_sgd import key_of


class MAMLPlusPlus(MAML):
    """MAML with what makes its training stable (section 4).

    LSLR: a learned learning rate for each layer (a weight or a bias) and each step, meta-trained for `inner_steps`
    steps. A later step takes the last one's rate, for which nothing was trained.
    MSL: the outer loss is a weighted sum of the query losses after each step (equation 4). The weights go from equal
    to the last step alone.
    Left out: statistics and biases of batch normalisation per step (BNRS, BNWB), since they normalise by the query
    batch, and a service's answer must not depend on a query's neighbours; take an encoder that normalises within an
    example. First-order warm-up (DA), which is off in the authors' configurations. The cosine schedule is that of the
    training loop.

    Args:
        encoder: The initial weights of every client's own encoder.
        outputs: As for `MAML`.
        inner_lr: Initial value of all learning rates.
        inner_steps: Steps in `train()` mode.
        annealing: Share of the training after which only the last step's loss counts: a tenth, as 10 of the authors'
            100 epochs.
        options: Others of `MAML`.
    """

    algorithm = "MAML++"
    paper = "Antoniou, Edwards, Storkey 2019, arXiv:1810.09502"
    own_updates = True

    def __init__(
        self,
        encoder: Encoder,
        outputs: int | None = None,
        inner_lr: float = 0.1,
        inner_steps: int = 5,
        annealing: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(encoder, outputs, inner_lr=inner_lr, inner_steps=inner_steps, **options)
        self.annealing = annealing
        rates = {key_of(name): torch.full((inner_steps,), inner_lr) for name in self.layers()}
        self.rates = nn.ParameterDict(rates)

    def update(self, number: int, params: State, gradients: State) -> State:
        """Descend by each layer's learning rate for this step."""
        at = min(number, self.inner_steps - 1)
        return {name: value - self.rates[key_of(name)][at] * gradients[name] for name, value in params.items()}

    def lrs_of_layers(self, steps: int) -> Tensor:
        """The learned rates, (steps, weights and biases in order)."""
        at = torch.arange(steps).clamp(max=self.inner_steps - 1)
        return torch.stack([self.rates[key_of(name)][at] for name in self.layers()], dim=1)

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The weighted sum of the query losses after each step. Steps of weight 0 are skipped."""
        loss, state = self.support_loss(episode.support), self.initial(episode.support)
        losses = []
        for number, weight in enumerate(self.step_weights(progress)):
            state = self.step(number, loss, state)
            if weight > 0:
                answers = self.predict(state, episode.query)
                losses.append(weight * self.query_loss(answers, episode.targets))
        return torch.stack(losses).sum()

    def step_weights(self, progress: float) -> list[float]:
        """The weight of each step's query loss at this share of the training. They sum to 1."""
        early = max(0.0, 1.0 - progress / self.annealing) / self.inner_steps
        return [early] * (self.inner_steps - 1) + [1.0 - early * (self.inner_steps - 1)]
