"""Cosine prototypes: a prototypical network on the unit sphere, meta-trained on all pairs.

Snell, Swersky, Zemel 2017, arXiv:1703.05175; cosine with a learned scale: Gidaris and Komodakis 2018,
arXiv:1804.09458; every example in turn as the support: Laenen and Bertinetto 2021, "On Episodes, Prototypical
Networks, and Few-Shot Learning", arXiv:2012.09831.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import native
from models.encoders import Encoder
from models.explanations import of_combination, shares
from models.functional import all_pairs_loss, class_means, examples_by_class
from models.learner import Contributions, Episode, Learner, State, Support
from models.test_time_augmentation import augmented_copies


class CosineProtoNet(Learner):
    """A query belongs to the class whose mean direction is nearest, by cosine times a learned scale.

    Args:
        encoder: The encoder that all clients share.
        scale: Initial scale of the logits.
        test_time_augmentation: Copies of each example that are encoded and averaged in `eval()` mode: the example
            itself and slightly transformed ones. 1 is the example alone, as in `train()` mode, where the dataset
            augments.
    """

    algorithm = "Cosine prototypes"
    paper = "Snell et al. 2017, arXiv:1703.05175; Laenen, Bertinetto 2021, arXiv:2012.09831"
    several_labels = True
    weighted_examples = True
    explains = "logits"

    def __init__(self, encoder: Encoder, scale: float = 10.0, test_time_augmentation: int = 1) -> None:
        super().__init__()
        self.encoder, self.test_time_augmentation = encoder, test_time_augmentation
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def encode(self, inputs: Tensor) -> Tensor:
        """Directions (n, d), of length 1: the mean over the copies of each input."""
        copies = 1 if self.training else self.test_time_augmentation
        features = native.encode(self.encoder, augmented_copies(inputs, copies).flatten(0, 1))
        directions = F.normalize(features, dim=-1).reshape(copies, -1, features.shape[-1])
        return F.normalize(directions.mean(0), dim=-1)

    def adapt(self, support: Support) -> State:
        """Prototypes (ways, d), of length 1."""
        return {"prototypes": F.normalize(class_means(support.inputs, support), dim=-1)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scaled cosines to the prototypes, (q, ways)."""
        return self.scaled(query @ state["prototypes"].T)

    def explain(self, support: Support, query: Tensor, contrast: Tensor) -> Contributions:
        """What each example contributes: its scaled cosine to the query, over the length of the sum of its class.

        A logit is linear in the mean of its class, given the length of that mean. The base is 0.
        """
        lengths = class_means(support.inputs, support).norm(dim=-1).clamp(min=1e-12)  # as F.normalize
        return of_combination(query, support.inputs, self.scaled(shares(support, query) / lengths), contrast)

    def scaled(self, cosines: Tensor) -> Tensor:
        """Cosines as logits."""
        return cosines * self.log_scale.exp()

    def outer_loss(self, episode: Episode, progress: float) -> Tensor:
        """The loss of all pairs of the episode's examples."""
        examples = examples_by_class(episode)
        directions = self.encode(examples.flatten(0, 1)).reshape(*examples.shape[:2], -1)
        return all_pairs_loss(self.scaled(torch.einsum("cvd,kwd->cvwk", directions, directions)))
