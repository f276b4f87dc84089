"""Relation networks: Sung et al. 2018, "Learning to Compare: Relation Network for Few-Shot Learning".

arXiv:1711.06025
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders.conv4 import Conv4
from models.functional import class_means
from models.learner import Learner, State, Support
from models.losses import at_least_float32, squared_error

Pooling = Literal["mean", "sum"]


class RelationNet(Learner):
    """A small network scores each pair of a class and a query by their feature maps (section 3, figure 2).

    Any number of classes, since a score depends on one pair only. The score is a logit; the paper's loss is the
    squared error of its sigmoid.

    Args:
        encoder: The encoder that all clients share. Its feature maps are used, not its features.
        pooling: "mean": a class's map is the mean over its examples, so its scale does not depend on their number.
            "sum": the sum, as in the paper and the authors' code (section 3.2), which ties the scores to the number of
            examples in training.
        hidden: Hidden units of the last layers.
    """

    algorithm = "Relation network"
    paper = "Sung, Yang, Zhang, Xiang, Torr, Hospedales 2018, arXiv:1711.06025"

    def __init__(self, encoder: Conv4, pooling: Pooling = "mean", hidden: int = 8) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, pooling
        self.relation = Relation(encoder.feature_dim, hidden)

    def encode(self, inputs: Tensor) -> Tensor:
        """Feature maps (n, c, h, w)."""
        return at_least_float32(self.encoder.maps(inputs))

    def adapt(self, support: Support) -> State:
        """Class maps (ways, c, h, w)."""
        maps = support.inputs
        pooled = class_means(maps.flatten(1), support)
        if self.pooling == "sum":
            labels = F.one_hot(support.targets, support.ways) * support.mask.unsqueeze(-1)
            pooled = pooled * labels.sum(0).unsqueeze(-1)
        return {"maps": pooled.reshape(-1, *maps.shape[1:])}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scores before the sigmoid, (q, ways). All pairs go through the network as one batch."""
        classes = state["maps"].repeat(query.shape[0], 1, 1, 1)
        ways = len(state["maps"])
        pairs = torch.cat([classes, query.repeat_interleave(ways, 0)], 1)
        scores: Tensor = self.relation(pairs)
        return scores.reshape(-1, ways)

    def loss(self, answers: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error of the relations to 1 for a query's own class and 0 for the others (equation 2)."""
        return squared_error(answers.sigmoid(), F.one_hot(targets, answers.shape[-1]), mask)


class Relation(nn.Module):
    """Two blocks of 3x3 convolution on two concatenated maps, the maximum over pixels, and two linear layers.

    Group normalisation, where the authors normalise over the batch of all pairs, which lets a query see the others.
    One max-pooling after both blocks, where the authors halve after each: our maps are 3 or 4 wide, theirs 5.
    The first convolution starts with the difference of the two maps: from a random start, the loss stays flat for long.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        compare, refine = nn.Conv2d(2 * width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            compare.weight[:, width:] = -compare.weight[:, :width]
        self.blocks = nn.Sequential(_block(compare), _block(refine))
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, pairs: Tensor) -> Tensor:
        """Concatenated maps (pairs, 2 * width, h, w) to scores (pairs,)."""
        scores: Tensor = self.score(self.blocks(pairs).amax((-2, -1)))
        return scores.squeeze(-1)


def _block(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GroupNorm(8, convolution.out_channels), nn.ReLU())
