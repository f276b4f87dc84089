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
    closed = torch.tensor(0.0)
    assert learner._scale(closed, closed)[[0, 8]].tolist() == [1.0, 0.0]
    opened = learner._scale(torch.tensor(1.0), closed).square()
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


class WithLayout(Identity):
    """Vectors of eight numbers, the last two of which are a layout."""

    layout_dim = 2

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([inputs[:, :6], torch.nn.functional.normalize(inputs[:, 6:], dim=-1)], 1)


def with_layout(layouts: list[list[float]], labels: list[int]) -> tuple[GatedRidge, Support]:
    """A learner, and views of examples that differ in their layout and in noise."""
    torch.manual_seed(0)
    learner = GatedRidge(WithLayout(), classes=6, rank=4).eval()
    features = torch.cat([torch.randn(len(layouts), 6), torch.tensor(layouts)], 1)
    targets = torch.tensor(labels)
    return learner, Support(learner.encode(features), targets, torch.ones(len(labels)).bool(), 2)


def test_the_layout_counts_where_layouts_of_different_classes_are_similar():
    alike, apart = [[1.0, 0.1], [1.0, -0.1]], [[1.0, 0.0], [0.0, 1.0]]
    learner, support = with_layout(alike, [0, 1])
    assert learner.layout_gate(support) > 0.99
    learner, support = with_layout(apart, [0, 1])
    assert learner.layout_gate(support) < 0.01


def test_examples_of_one_class_and_padding_do_not_open_the_layout_gate():
    learner, support = with_layout([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0, 0, 1, 1])
    assert learner.layout_gate(support._replace(mask=torch.tensor([True, True, True, False]))) < 0.01


def test_scaled_views_have_length_1_whatever_the_gates():
    learner, support = with_layout([[1.0, 0.1], [1.0, -0.1]], [0, 1])
    for gates in ((0.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 1.0)):
        scaled = support.inputs * learner._scale(*map(torch.tensor, gates))
        torch.testing.assert_close(scaled.norm(dim=-1), torch.ones(2))


def test_photos_that_differ_in_their_layout_only_are_told_apart():
    learner, support = with_layout([[1.0, 0.4], [1.0, -0.4]], [0, 1])
    views = support.inputs.clone()
    views[:, :-2] = views[0, :-2]
    answers = learner.predict(learner.adapt(support._replace(inputs=views)), views)
    assert answers.argmax(-1).tolist() == [0, 1]


def test_training_leaves_the_layout_out():
    learner, support = with_layout([[1.0, 0.1], [1.0, -0.1]], [0, 1])
    assert learner.train().layout_gate(support) == 0
