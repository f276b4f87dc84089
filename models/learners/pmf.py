"""PMF: Hu, Li, Stuehmer, Kim, Hospedales 2022, "Pushing the Limits of Simple Pipelines for Few-Shot Learning".

arXiv:2204.07305
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from models.encoders import Encoder
from models.functional import class_means
from models.inner_loop import GradientLearner, Loss
from models.learner import State, Support
from models.losses import at_least_float32
from models.test_time_augmentation import augmented_views


class PMF(GradientLearner):
    """Cosine prototypes whose whole encoder is fine-tuned on moved copies of the client's own support.

    Pre-train, meta-train, fine-tune: the first two make the shared encoder, by this or by another learner. In `train()`
    mode nothing is fine-tuned, and the outer loss is that of a prototypical network with cosines. In `eval()` mode the
    support makes the prototypes and `copies` moved versions of it are the queries of `adapt_steps` steps of descent on
    the client's own copy of the weights, the learned scale of the logits apart.
    Where the paper draws its augmentations and takes Adam, here the copies are always the same and the descent is
    plain. The paper finds `rate` for each domain on labelled episodes; a support alone cannot tell it.
    """

    algorithm = "PMF: prototypes after fine-tuning the encoder"
    paper = "Hu, Li, Stuehmer, Kim, Hospedales 2022, arXiv:2204.07305"

    def __init__(
        self, encoder: Encoder, scale: float = 10.0, copies: int = 4, rate: float = 0.001, adapt_steps: int = 10
    ) -> None:
        super().__init__(rate, steps=0, adapt_steps=adapt_steps, first_order=True)
        self.encoder, self.copies = encoder, copies
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of length 1, (n, d)."""
        return F.normalize(at_least_float32(self.encoder(inputs)), dim=-1)

    def adapt(self, support: Support) -> State:
        """The client's own weights of the encoder under their own names, and prototypes (ways, d) of length 1."""
        shared: State = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        own = self.inner_loop(self.support_loss(support), shared)
        means = class_means(functional_call(self, own, (support.inputs,)), support)
        return own | {"prototypes": F.normalize(means, dim=-1)}

    def support_loss(self, support: Support) -> Loss:
        """Of the moved copies against the prototypes of the support."""
        views = augmented_views(support.inputs, 1 + self.copies)
        averages = class_means(torch.eye(len(support.inputs), device=views.device, dtype=views.dtype), support)

        def loss(weights: State) -> Tensor:
            directions = functional_call(self, weights, (views.flatten(0, 1),)).unflatten(0, views.shape[:2])
            prototypes = F.normalize(averages @ directions[0], dim=-1)
            logits = self.scaled(directions[1:].flatten(0, 1) @ prototypes.T)
            return self.loss(logits, support.targets.repeat(self.copies), support.mask.repeat(self.copies))

        return loss

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scaled cosines (q, ways) of the client's own encoder."""
        own = {name: value for name, value in state.items() if name != "prototypes"}
        return self.scaled(functional_call(self, own, (query,)) @ state["prototypes"].T)

    def scaled(self, cosines: Tensor) -> Tensor:
        """Cosines as logits."""
        return cosines * self.log_scale.exp()
