"""Features of a node are the items that random walks from it meet."""

import pytest
import torch

from models.encoders.propagation import Propagation
from models.graph_arrays import packed

NODES, SLOTS, ITEMS = 4, 2, 6


def encoder(weights: list[float]) -> Propagation:
    made = Propagation(NODES, SLOTS, ITEMS, hops=len(weights) - 1).requires_grad_(False)
    made.log_weights.copy_(torch.tensor(weights).log())
    return made


def features(items, edges, weights) -> list[float]:
    array = torch.from_numpy(packed(items, edges, NODES, SLOTS))
    return encoder(weights)(array.unsqueeze(0))[0].tolist()


def test_without_steps_only_the_own_items_count():
    assert features([[0, 3], [1]], [(0, 1)], [1.0, 0.0]) == pytest.approx([1, 0, 0, 1, 0, 0])


def test_a_step_goes_to_each_neighbour_or_stays():
    """Of the node with items 0 and two neighbours, a third of the walks of one step stays."""
    found = features([[0], [1], [2]], [(0, 1), (0, 2)], [0.0, 1.0])
    assert found == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0, 0, 0])


def test_two_steps_reach_the_neighbours_of_neighbours():
    found = features([[0], [1], [2]], [(0, 1), (1, 2)], [0.0, 0.0, 1.0])
    assert found == pytest.approx([1 / 4 + 1 / 6, 1 / 4 + 1 / 6, 1 / 6, 0, 0, 0])


def test_nodes_that_no_walk_reaches_do_not_count():
    assert features([[0], [5]], [], [0.2, 0.3, 0.5]) == pytest.approx([1, 0, 0, 0, 0, 0])


def test_an_item_that_two_nodes_have_counts_twice():
    assert features([[4], [4]], [(0, 1)], [0.0, 1.0]) == pytest.approx([0, 0, 0, 0, 1, 0])


def test_the_order_of_the_neighbours_does_not_matter():
    one = features([[0], [1], [2, 3]], [(0, 1), (0, 2)], [0.2, 0.3, 0.5])
    other = features([[0], [3, 2], [1]], [(2, 0), (0, 1)], [0.2, 0.3, 0.5])
    assert one == pytest.approx(other)
