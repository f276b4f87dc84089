"""Gated ridge regression: what it fits before meta-training, and when the learned views count."""

import numpy as np
import torch
from torch import nn

from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.datasets.pool import Pool
from models.encoders import Encoder
from models.learner import Support
from models.learners.gated_ridge import GatedRidge

SHAPE = Shape(3, 2, 2)


def pool() -> Pool:
    """Six classes of vectors, whose examples differ along one direction most."""
    rng = np.random.default_rng(0)
    labels = np.arange(6).repeat(20)
    noise = rng.normal(size=(120, 8)) * np.array([20.0, *[1.0] * 7])
    vectors = torch.tensor(rng.normal(size=(6, 8))[labels] * 3 + noise, dtype=torch.float32)
    everywhere = np.ones(len(labels), dtype=bool)
    return Pool(lambda indices: vectors[torch.from_numpy(indices)], labels, everywhere, everywhere)


class Identity(Encoder):
    feature_dim = 8

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.factor


def prepared() -> tuple[GatedRidge, EpisodeSampler]:
    torch.manual_seed(0)
    learner = GatedRidge(Identity(), classes=6, rank=4, shrinkage=0.1)
    return learner, learner.prepare(pool())


def test_whitening_shrinks_what_differs_within_classes():
    learner, _ = prepared()
    spread = (pool().labelled()[0] - learner.views[0].mean) @ learner.views[0].whitening
    within = torch.stack([spread[20 * i : 20 * i + 20].std(0) for i in range(6)]).mean(0)
    assert within.max() < 3 * within.min()  # of 20 times before


def test_the_learned_view_starts_as_the_whitened_one():
    learner, _ = prepared()
    white, learned = learner.encode(pool().labelled()[0]).chunk(2, -1)
    torch.testing.assert_close(white, learned)


def test_training_episodes_hold_features_and_train_the_projections_only():
    learner, episodes = prepared()
    torch.autograd.backward(learner.train().outer_loss(episodes.episode(rng_of(0, 0), SHAPE), 0.0))
    trained = {name for name, value in learner.named_parameters() if value.grad is not None}
    assert trained == {"views.0.down", "views.0.up", "log_scale"}


def test_the_gate_opens_for_classes_like_those_of_meta_training_and_not_for_others():
    learner, _ = prepared()
    learner.eval().centres[:] = torch.eye(8)[0]
    assert gate(learner, torch.eye(8)[[0, 0]].repeat(1, 2)) > 0.99
    assert gate(learner, torch.eye(8)[[1, 2]].repeat(1, 2)) < 0.01


def test_an_open_gate_weighs_both_views_alike_and_a_closed_one_the_whitened_view_alone():
    learner, _ = prepared()
    assert learner._scale(torch.tensor(0.0))[[0, 8]].tolist() == [1.0, 0.0]
    opened = learner._scale(torch.tensor(1.0)).square()
    torch.testing.assert_close(opened, torch.full((16,), 0.5))


def gate(learner, views: torch.Tensor) -> float:
    count = len(views)
    return float(learner.gate(Support(views, torch.zeros(count).long(), torch.ones(count).bool(), 2)))


def test_a_client_is_adapted_in_float32_under_autocast():
    learner, _ = prepared()
    support = Support(pool().labelled()[0][:4], torch.tensor([0, 1, 0, 1]), torch.ones(4, dtype=torch.bool), 2)
    encoded = learner.eval().encode_support(support)
    plain = learner.adapt(encoded)["weights"]
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(learner.adapt(encoded)["weights"], plain)
