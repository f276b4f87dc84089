"""Relation networks against one pair at a time, and the two ways to pool a class."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from models.learner import Episode, Support
from models.learners.relation import RelationNet

TIGHT = {"rtol": 1e-9, "atol": 1e-9}


class Maps(nn.Module):
    """An encoder that returns its inputs as maps."""

    feature_dim = 8

    def maps(self, images: Tensor) -> Tensor:
        return images


def learner_of(pooling: str = "mean") -> RelationNet:
    torch.manual_seed(0)
    return RelationNet(Maps(), pooling=pooling).double()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def support_of(labels: list[int]) -> Support:
    maps = normal(len(labels), 8, 3, 3)
    return Support(maps, torch.tensor(labels), torch.ones(len(labels), dtype=torch.bool), max(labels) + 1)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_a_class_map_is_the_mean_or_the_sum_of_its_examples(pooling):
    full = support_of([0, 1, 0, 0])._replace(mask=torch.tensor([True, True, True, False]))
    first = full.inputs[[0, 2]]
    expected = torch.stack([first.mean(0) if pooling == "mean" else first.sum(0), full.inputs[1]])
    assert_close(learner_of(pooling).adapt(full)["maps"], expected, **TIGHT)


@pytest.mark.parametrize(("pooling", "same"), [("mean", True), ("sum", False)])
def test_only_sum_pooling_depends_on_the_number_of_equal_examples(pooling, same):
    learner, once, query = learner_of(pooling), support_of([0, 1]), normal(3, 8, 3, 3, seed=1)
    twice = Support(once.inputs.repeat(2, 1, 1, 1), once.targets.repeat(2), once.mask.repeat(2), 2)
    answers, again = (learner.answer(full, query) for full in (once, twice))
    assert torch.allclose(answers, again) is same


def test_the_score_of_a_pair_does_not_depend_on_other_pairs():
    learner, full, query = learner_of(), support_of([0, 1, 2, 0]), normal(5, 8, 3, 3, seed=1)
    state = learner.adapt(full)
    expected = torch.stack([torch.stack([one_pair(learner, of, asked) for of in state["maps"]]) for asked in query])
    assert_close(learner.predict(state, query), expected, **TIGHT)


def one_pair(learner: RelationNet, of_class: Tensor, asked: Tensor) -> Tensor:
    """The class first, then the query, through the layers one by one."""
    values = torch.cat([of_class, asked]).unsqueeze(0)
    for convolve, normalise, _ in learner.relation.blocks:
        values = normalise(convolve(values)).clamp(min=0)
    first, _, second = learner.relation.score
    return (second.weight @ (first(values[0].flatten(1).max(1).values)).clamp(min=0) + second.bias)[0]


def test_a_score_does_not_depend_on_the_other_classes():
    learner, full, query = learner_of(), support_of([0, 1, 2]), normal(2, 8, 3, 3, seed=1)
    two = Support(full.inputs[:2], full.targets[:2], full.mask[:2], 2)
    assert_close(learner.answer(full, query)[:, :2], learner.answer(two, query), **TIGHT)


@pytest.mark.parametrize(
    ("scores", "loss"), [([[0.0, 0.0]], 0.25), ([[99.0, -99.0]], 0.0), ([[-99.0, -99.0]], 0.5), ([[-99.0, 99.0]], 1.0)]
)
def test_the_loss_is_the_squared_error_of_the_relations(scores, loss):
    answers = torch.tensor([*scores, [5.0, 5.0]])
    lost = learner_of().loss(answers, torch.tensor([0, 1]), torch.tensor([True, False]))
    assert lost.item() == pytest.approx(loss)


def test_the_outer_loss_is_that_of_the_queries():
    learner, full, query = learner_of(), support_of([0, 1]), normal(4, 8, 3, 3, seed=1)
    targets = torch.tensor([0, 1, 1, 0])
    wanted = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    relations = learner.answer(full, query).sigmoid()
    lost = learner.outer_loss(Episode(full, query, targets), 0.0)
    assert_close(lost, nn.functional.mse_loss(relations, wanted.double()))


def test_an_untrained_network_scores_a_pair_by_its_difference():
    learner, full, query = learner_of(), support_of([0, 1]), normal(3, 8, 3, 3, seed=1)
    moved = full._replace(inputs=full.inputs + 1.0)
    answers = learner.answer(full, query)
    assert_close(learner.answer(moved, query + 1.0), answers, **TIGHT)
