"""The gated graph network: each item on its own, with weights that all items share."""

import pytest
import torch

from models.encoders.gated_graph import GatedGraph, distinct_items
from models.graph_arrays import packed

NODES, SLOTS, ITEMS = 4, 2, 6


@pytest.fixture
def encoder() -> GatedGraph:
    torch.manual_seed(0)
    return GatedGraph(NODES, SLOTS, ITEMS).double().requires_grad_(False)


def features(encoder, items, edges) -> torch.Tensor:
    return encoder(torch.from_numpy(packed(items, edges, NODES, SLOTS)).unsqueeze(0))[0]


def test_items_that_no_node_has_count_nothing(encoder):
    found = features(encoder, [[1], [4]], [(0, 1)])
    assert found.nonzero().flatten().tolist() == [1, 4]


def test_an_item_counts_less_two_steps_away_than_one(encoder):
    found = features(encoder, [[0], [1], [2], [3]], [(0, 1), (1, 2), (2, 3)])
    assert found[1] > found[2] > found[3] > 0


def test_nodes_without_a_way_to_the_first_one_do_not_count(encoder):
    torch.testing.assert_close(features(encoder, [[0]], [])[0], features(encoder, [[0], [5]], [])[0])


def test_renaming_the_items_renames_the_features(encoder):
    names = torch.tensor([3, 0, 5, 1, 2, 4])
    items, edges = [[0, 1], [2], [1, 5]], [(0, 1), (0, 2)]
    renamed = features(encoder, [names[own].tolist() for own in items], edges)
    torch.testing.assert_close(renamed[names], features(encoder, items, edges))


def test_the_order_of_the_other_nodes_does_not_matter(encoder):
    one = features(encoder, [[0], [1], [2, 3]], [(0, 1), (1, 2)])
    torch.testing.assert_close(features(encoder, [[0], [2, 3], [1]], [(0, 2), (2, 1)]), one)


def test_many_neighbourhoods_have_the_features_that_each_has_alone(encoder):
    drawn = torch.randint(0, ITEMS + 1, (40, NODES, SLOTS), generator=torch.Generator().manual_seed(0))
    edges = torch.ones(NODES, NODES).sub(torch.eye(NODES)).expand(40, -1, -1)
    inputs = torch.cat([drawn, edges], -1).to(torch.int16)
    alone = torch.cat([encoder(one.unsqueeze(0)) for one in inputs])
    torch.testing.assert_close(encoder(inputs), alone)


def test_the_gradient_reaches_all_weights():
    encoder = GatedGraph(NODES, SLOTS, ITEMS)
    inputs = torch.from_numpy(packed([[0], [1], [2]], [(0, 1), (1, 2)], NODES, SLOTS)).unsqueeze(0)
    torch.autograd.backward(encoder(inputs).square().sum())
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_equal_items_of_a_row_have_one_place():
    places, distinct = distinct_items(torch.tensor([[7, 0, 7, 3], [0, 0, 0, 0]]))
    assert distinct.tolist() == [[0, 3, 7], [0, 0, 0]]
    assert places.tolist() == [[2, 0, 2, 1], [0, 0, 0, 0]]
