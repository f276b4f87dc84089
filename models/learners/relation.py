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
    """A small network scores each pair of a class and a query, from their feature maps (section 3, figure 2).

    Any number of classes, since a score is of one pair alone.
    `pooling="mean"`: a class's map is the mean over its examples, so that it means the same with any number of them.
    `pooling="sum"`: the paper's and the authors' sum (section 3.2), with which the scores depend on the number of
    examples that was trained with.
    The score is a logit; the paper's loss is the squared error of its sigmoid.
    """

    algorithm = "Relation network"
    paper = "Sung, Yang, Zhang, Xiang, Torr, Hospedales 2018, arXiv:1711.06025"

    def __init__(self, encoder: Conv4, pooling: Pooling = "mean", hidden: int = 8) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, pooling
        self.relation = Relation(encoder.features, hidden)

    def adapt(self, support: Support) -> State:
        """Class maps (ways, c, h, w)."""
        maps = at_least_float32(self.encoder.maps(support.inputs))
        pooled = class_means(maps.flatten(1), support)
        if self.pooling == "sum":
            labels = F.one_hot(support.targets, support.ways) * support.mask.unsqueeze(-1)
            pooled = pooled * labels.sum(0).unsqueeze(-1)
        return {"maps": pooled.reshape(-1, *maps.shape[1:])}

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Scores before the sigmoid, (q, ways); all pairs go through the network as one batch."""
        asked = at_least_float32(self.encoder.maps(query))
        classes = state["maps"].repeat(len(asked), 1, 1, 1)
        ways = len(state["maps"])
        pairs = torch.cat([classes, asked.repeat_interleave(ways, 0)], 1)
        scores: Tensor = self.relation(pairs)
        return scores.reshape(len(asked), ways)

    def loss(self, answers: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error of the relations to 1 for a query's own class and 0 for the others (equation 2)."""
        return squared_error(answers.sigmoid(), F.one_hot(targets, answers.shape[-1]), mask)


class Relation(nn.Module):
    """Two blocks of 3x3 convolution on two maps joined, the largest over the places, and two linear layers.

    Group normalisation, where the authors normalise by the batch of all pairs, which lets a query see the others.
    Max-pooled as a whole after both blocks, where the authors halve after each: our maps are 3 or 4 wide, theirs 5.
    It begins by comparing, with the difference of the two maps: from a random start, the loss stays as it is for long.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        compare, refine = nn.Conv2d(2 * width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            compare.weight[:, width:] = -compare.weight[:, :width]
        self.blocks = nn.Sequential(_block(compare), _block(refine))
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, pairs: Tensor) -> Tensor:
        """Joined maps (pairs, 2 * width, h, w) to scores (pairs,)."""
        scores: Tensor = self.score(self.blocks(pairs).amax((-2, -1)))
        return scores.squeeze(-1)


def _block(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GroupNorm(8, convolution.out_channels), nn.ReLU())
