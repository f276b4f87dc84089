"""PMF: Hu, Li, Stuehmer, Kim, Hospedales 2022, "Pushing the Limits of Simple Pipelines for Few-Shot Learning".

arXiv:2204.07305
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.functional import class_means
from models.inner_loop import GradientLearner, Loss
from models.learner import State, Support
from models.learners.maml import part
from models.test_time_augmentation import augmented_copies


class PMF(GradientLearner):
    """Cosine prototypes whose whole encoder is fine-tuned on augmented copies of the client's own support.

    Pre-train, meta-train, fine-tune: the first two make the initial encoder, by this or by another learner. In
    `train()` mode nothing is fine-tuned, and the outer loss is that of a prototypical network with cosines. In
    `eval()` mode the support makes the prototypes, and augmented copies of it are the queries that the client's own
    weights descend on; the scale of the logits stays. The paper draws its augmentations and uses Adam; here the copies
    are always the same and the descent is plain. The paper finds the learning rate for each domain on labelled
    episodes; a support set alone cannot tell it.

    Args:
        encoder: The initial weights of every client's own encoder.
        scale: Initial scale of the cosines.
        copies: Augmented copies of each example.
        inner_lr: Learning rate of the fine-tuning.
        eval_inner_steps: Steps of the fine-tuning in `eval()` mode.
    """

    algorithm = "PMF: prototypes after fine-tuning the encoder"
    paper = "Hu, Li, Stuehmer, Kim, Hospedales 2022, arXiv:2204.07305"

    def __init__(
        self,
        encoder: Encoder,
        scale: float = 10.0,
        copies: int = 4,
        inner_lr: float = 0.001,
        eval_inner_steps: int = 10,
    ) -> None:
        super().__init__(inner_lr, inner_steps=0, eval_inner_steps=eval_inner_steps, first_order=True)
        self.encoder, self.copies = encoder, copies
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def directions(self, weights: State, inputs: Tensor) -> Tensor:
        """Features of length 1, (n, d), from a client's own encoder weights, named "encoder.*"."""
        return F.normalize(native.encode(self.encoder, inputs, part(weights, "encoder.")), dim=-1)

    def adapt(self, support: Support) -> State:
        """The client's own encoder weights under their own names, and prototypes (ways, d) of length 1."""
        initial: State = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        own = self.inner_loop(self.support_loss(support), initial)
        means = class_means(self.directions(own, support.inputs), support)
        return own | {"prototypes": F.normalize(means, dim=-1)}

    def support_loss(self, support: Support) -> Loss:
        """The loss of the augmented copies against the prototypes of the support."""
        copies = augmented_copies(support.inputs, 1 + self.copies)
        averages = class_means(torch.eye(len(support.inputs), device=copies.device, dtype=copies.dtype), support)

        def loss(weights: State) -> Tensor:
            directions = self.directions(weights, copies.flatten(0, 1)).reshape(*copies.shape[:2], -1)
            prototypes = F.normalize(averages @ directions[0], dim=-1)
            logits = self.scaled(directions[1:].flatten(0, 1) @ prototypes.T)
            return self.loss(logits, support.targets.repeat(self.copies), support.mask.repeat(self.copies))

        return loss

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scaled cosines (q, ways) of the client's own encoder."""
        return self.scaled(self.directions(state, query) @ state["prototypes"].T)

    def scaled(self, cosines: Tensor) -> Tensor:
        """Cosines as logits."""
        return cosines * self.log_scale.exp()
