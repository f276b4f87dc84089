"""MAML++: Antoniou, Edwards, Storkey 2019, "How to train your MAML".

arXiv:1810.09502
"""

from typing import Any

import torch
from torch import Tensor, nn

from models.encoders import Encoder
from models.learner import Episode, State, full_mask
from models.learners.maml import MAML
from models.learners.meta_sgd import key_of


class MAMLPlusPlus(MAML):
    """MAML with what makes its training stable (section 4).

    LSLR: a learned rate for each layer (a weight or a bias) and each step, all of them `rate` at first. The rates are
    meta-trained for `steps` steps; a step beyond those takes the last one's rate, for which nothing was trained.
    MSL: the outer loss is a weighted sum of the query losses after every step (equation 4), whose weights go from
    equal to the last step alone in the first `annealing` of the training: a tenth, as 10 of the authors' 100 epochs.
    Statistics and biases of batch normalisation per step (BNRS, BNWB) are left out: they normalise by the query batch,
    and a service's answer must not depend on a query's neighbours; take an encoder that normalises within an example.
    First-order warm-up (DA) is off in the authors' configurations, and left out. The cosine schedule is the loop's.
    """

    algorithm = "MAML++"
    paper = "Antoniou, Edwards, Storkey 2019, arXiv:1810.09502"

    def __init__(
        self,
        encoder: Encoder,
        outputs: int | None = None,
        rate: float = 0.1,
        steps: int = 5,
        annealing: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(encoder, outputs, rate=rate, steps=steps, **options)
        self.annealing = annealing
        rates = {key_of(name): torch.full((steps,), rate) for name in self.layers()}
        self.rates = nn.ParameterDict(rates)

    def update(self, number: int, params: State, gradients: State) -> State:
        """Descend by each layer's rate for this step."""
        at = min(number, self.steps - 1)
        return {name: value - self.rates[key_of(name)][at] * gradients[name] for name, value in params.items()}

    def rates_of_layers(self, steps: int) -> Tensor:
        """The learned rates, (steps, weights and biases in order)."""
        at = torch.arange(steps).clamp(max=self.steps - 1)
        return torch.stack([self.rates[key_of(name)][at] for name in self.layers()], dim=1)

    def outer_loss(self, episode: Episode, done: float) -> Tensor:
        """The weighted sum of the query losses after each step; steps of no weight are not asked."""
        loss, state = self.support_loss(episode.support), self.initial(episode.support)
        losses = []
        for number, weight in enumerate(self.step_weights(done)):
            state = self.step(number, loss, state)
            if weight > 0:
                answers = self.predict(state, episode.query)
                losses.append(weight * self.loss(answers, episode.targets, full_mask(episode.targets)))
        return torch.stack(losses).sum()

    def step_weights(self, done: float) -> list[float]:
        """The weight of each step's query loss at this share of the training; together 1."""
        early = max(0.0, 1.0 - done / self.annealing) / self.steps
        return [early] * (self.steps - 1) + [1.0 - early * (self.steps - 1)]
