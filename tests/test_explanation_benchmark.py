"""The benchmark of explanations counts the answers that change when an example is removed."""

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import explanations
from models.datasets.episode import Shape
from models.learner import Episode, Support, full_mask
from models.learners.protonet import ProtoNet


class OneDecides:
    """Two classes. Without the first example of class 0, the query is nearer to class 1."""

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        support = torch.tensor([[4.0, 0.0], [0.0, 4.0], [3.0, -1.0], [3.0, -1.0]])
        targets = torch.tensor([0, 0, 1, 1])
        return Episode(Support(support, targets, full_mask(targets), 2), torch.tensor([[3.2, 0.8]]), torch.tensor([0]))


def unchanged(inputs: Tensor) -> Tensor:
    return inputs


def test_only_the_decisive_example_changes_the_answer():
    source = explanations.Source("glyphs", "points", ProtoNet(nn.Identity()), OneDecides(), unchanged, 1)
    changes = explanations.measured(source, Shape(2, 2, 1), 0)
    assert changes == explanations.Changes(strongest=1, first=1, same=0.5, random=0.25)
