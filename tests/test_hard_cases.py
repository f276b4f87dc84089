"""The hard cases: errors are counted where they happen, and drawn."""

import numpy as np
import pytest
import torch

from benchmarks.hard_cases import by_alphabet, draw, hardest, measure
from models.datasets.characters import Characters
from models.datasets.episode import Shape
from models.datasets.omniglot import UndistortedSampler
from models.encoders import Encoder
from models.learners.protonet import ProtoNet

SIZE = 4


class Pixels(Encoder):
    """Features are the pixels."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Images (n, 1, h, w) to (n, h * w)."""
        return inputs.flatten(1)


NAMES = ["A/1", "A/2", "A/3", "B/1", "B/2", "B/3"]


@pytest.fixture
def sampler() -> UndistortedSampler:
    """Drawings of one pixel each. Those of the first two characters are the same, so half of their queries fail."""
    images = np.zeros((len(NAMES), 20, SIZE, SIZE), np.float32)
    for member, place in enumerate((0, 0, 2, 3, 4, 5)):
        images[member, :, place // SIZE, place % SIZE] = 1
    return UndistortedSampler(Characters(images, NAMES, np.zeros(6, bool)), np.arange(6), forms=1, within=True)


def test_errors_are_counted_for_the_alphabet_and_the_pair_where_they_happen(sampler, tmp_path):
    found = measure(ProtoNet(Pixels()), sampler, 40, Shape(3, 1, 5))
    assert found.asked.total() == 40 * 15
    (pair, share), *others = hardest(found, fewest=1)
    assert pair == (0, 1)
    assert share == 0.5
    assert all(not rest for _, rest in others)
    (worst, wrong, asked), (best, none, _) = by_alphabet(found, [name[0] for name in NAMES])
    assert (worst, best, none) == ("A", "B", 0)
    assert wrong / asked == pytest.approx(1 / 3)
    draw(found, sampler, [name[0] for name in NAMES], tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
