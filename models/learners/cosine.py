"""Cosine prototypes: a prototypical network on the sphere, meta-trained on all pairs.

Snell, Swersky, Zemel 2017, arXiv:1703.05175; cosine with a learned scale: Gidaris and Komodakis 2018,
arXiv:1804.09458; every example in turn as the support: Laenen and Bertinetto 2021, "On Episodes, Prototypical
Networks, and Few-Shot Learning", arXiv:2012.09831.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import Encoder
from models.functional import all_pairs_loss, class_means, examples_by_class
from models.learner import Episode, Learner, State, Support
from models.losses import at_least_float32
from models.test_time_augmentation import augmented_views


class CosineProtoNet(Learner):
    """A query belongs to the class whose mean direction is nearest, by cosine times a learned scale.

    `views`: an example is embedded in so many slightly moved versions of itself, the first of them unmoved, and the
    mean is taken, for the support and the queries alike; one view in `train()` mode, where drawings are augmented.
    """

    algorithm = "Cosine prototypes"
    paper = "Snell et al. 2017, arXiv:1703.05175; Laenen, Bertinetto 2021, arXiv:2012.09831"

    def __init__(self, encoder: Encoder, scale: float = 10.0, views: int = 1) -> None:
        super().__init__()
        self.encoder, self.views = encoder, views
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def adapt(self, support: Support) -> State:
        """Prototypes (ways, d) of length 1."""
        return {"prototypes": F.normalize(class_means(self.directions(support.inputs), support), dim=-1)}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scaled cosines to the prototypes, (q, ways)."""
        return self.scaled(self.directions(query) @ state["prototypes"].T)

    def directions(self, inputs: Tensor) -> Tensor:
        """Features (n, d) of length 1; the mean over the views of each input."""
        views = 1 if self.training else self.views
        features = at_least_float32(self.encoder(augmented_views(inputs, views).flatten(0, 1)))
        each = F.normalize(features, dim=-1).reshape(views, len(inputs), -1)
        return F.normalize(each.mean(0), dim=-1)

    def scaled(self, cosines: Tensor) -> Tensor:
        """Cosines as logits."""
        return cosines * self.log_scale.exp()

    def outer_loss(self, episode: Episode, done: float) -> Tensor:
        """On all pairs of the episode's examples."""
        examples = examples_by_class(episode)
        directions = self.directions(examples.flatten(0, 1)).reshape(*examples.shape[:2], -1)
        return all_pairs_loss(self.scaled(torch.einsum("cvd,kwd->cvwk", directions, directions)))
