"""Prototypical networks against answers known by construction: the encoder changes nothing."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from models.learner import Support
from models.learners.protonet import ProtoNet

PLANE = ProtoNet(nn.Identity())


def support_of(points: list[list[float]], labels: list[int]) -> Support:
    mask = torch.ones(len(labels), dtype=torch.bool)
    return Support(torch.tensor(points), torch.tensor(labels), mask, max(labels) + 1)


def test_a_prototype_is_the_mean_of_its_class():
    state = PLANE.adapt(support_of([[0.0, 0.0], [2.0, 4.0], [10.0, 0.0], [10.0, 2.0]], [0, 0, 1, 1]))
    assert_close(state, {"prototypes": torch.tensor([[1.0, 2.0], [10.0, 1.0]])})


def test_classes_may_have_unequal_shots_in_any_order():
    state = PLANE.adapt(support_of([[9.0, 9.0], [0.0, 3.0], [3.0, 0.0], [3.0, 3.0]], [1, 0, 0, 0]))
    assert_close(state["prototypes"], torch.tensor([[2.0, 2.0], [9.0, 9.0]]))


def test_one_example_a_class_is_its_own_prototype():
    points = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert_close(PLANE.adapt(support_of(points, [0, 1, 2]))["prototypes"], torch.tensor(points))


def test_masked_examples_have_no_weight():
    full = support_of([[1.0, 1.0], [500.0, -500.0], [4.0, 4.0]], [0, 0, 1])
    state = PLANE.adapt(full._replace(mask=torch.tensor([True, False, True])))
    assert_close(state["prototypes"], torch.tensor([[1.0, 1.0], [4.0, 4.0]]))


def test_logits_are_minus_the_squared_euclidean_distances():
    state = {"prototypes": torch.tensor([[0.0, 0.0], [3.0, 4.0]])}
    logits = PLANE.predict(state, torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 5.0]]))
    assert_close(logits, -torch.tensor([[0.0, 25.0], [9.0, 16.0], [34.0, 1.0]]))


@pytest.mark.parametrize("ways", [2, 7, 40])
def test_logits_agree_with_an_independent_distance(ways):
    generator = torch.Generator().manual_seed(ways)
    prototypes, query = torch.randn(ways, 16, generator=generator), torch.randn(9, 16, generator=generator)
    assert_close(PLANE.predict({"prototypes": prototypes}, query), -torch.cdist(query, prototypes).square())


def test_a_query_belongs_to_the_nearest_prototype():
    state = PLANE.adapt(support_of([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 2]))
    assert PLANE.predict(state, torch.tensor([[0.9, 0.2], [0.1, 0.8], [0.1, 0.2]])).argmax(-1).tolist() == [1, 2, 0]


def test_the_loss_is_differentiated_through_prototypes_and_queries():
    learner = ProtoNet(nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        learner.encoder.weight.copy_(torch.eye(2))
    learner.answer(support_of([[1.0, 0.0], [0.0, 1.0]], [0, 1]), torch.tensor([[2.0, 0.0]]))[0, 0].backward()
    # With weight W, the logit is -|W(2, 0) - W(1, 0)|^2 = -|W(1, 0)|^2, whose gradient is -2 W(1, 0) in column 0.
    assert_close(learner.encoder.weight.grad, torch.tensor([[-2.0, 0.0], [0.0, 0.0]]))
