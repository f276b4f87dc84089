"""Neighbourhoods of nodes, and episodes over graphs."""

import numpy as np
import pytest
import torch

from models.datasets import dataset_of
from models.datasets.episode import Shape, rng_of
from models.datasets.graphs import BLOCKS, FANOUT, Neighbourhoods, Network, blocks, neighbours_of, read
from models.graph_arrays import unpacked

INPUT = {"type": "graph", "nodes": 8, "slots": 4, "vocabulary": 50}
STAR = Network([[i] for i in range(30)], neighbours_of(np.array([[0, i] for i in range(1, 30)]), 30), np.zeros(30, int))


@pytest.fixture
def file(tmp_path):
    """A graph of two classes: a ring of 40 nodes, the first half of one class."""
    words, ring = np.zeros((40, 50), np.uint8), np.arange(40)
    words[ring, ring] = words[ring, 49] = 1
    path = tmp_path / "ring.npz"
    edges = np.stack([ring, (ring + 1) % 40]).astype(np.int32)
    np.savez(path, features=np.packbits(words, axis=1), n_features=50, edges=edges, label=(ring >= 20).astype(np.uint8))
    return path


def test_a_file_is_read_as_a_graph(file):
    graph = read(file)
    assert graph.items[3] == [3, 49]
    assert graph.neighbours[0] == [1, 39]
    assert graph.labels.tolist() == [0] * 20 + [1] * 20


def test_a_neighbourhood_begins_with_its_node_and_has_no_more_nodes_than_fit():
    around = Neighbourhoods(STAR, INPUT)
    for node in (0, 7):
        kept = around.kept(node)
        assert kept[0] == node
        assert len(kept) == len(set(kept)) == INPUT["nodes"]
    assert len(Neighbourhoods(STAR, INPUT | {"nodes": 100}).kept(0)) == 1 + FANOUT


def test_a_neighbourhood_is_the_same_at_each_call():
    around = Neighbourhoods(STAR, INPUT)
    assert around.kept(0) == around.kept(0)
    torch.testing.assert_close(around(np.array([0, 3])), around(np.array([0, 3])))


def test_what_clients_send_is_what_the_model_gets(file):
    around = Neighbourhoods(read(file), INPUT)
    sent = around.of(5)
    assert sent["nodes"][0] == [5, 49]
    items, edges = unpacked(around(np.array([5]))[0].numpy())
    assert (items, sorted(edges)) == (sent["nodes"], sorted(sorted(pair) for pair in sent["edges"]))


def test_an_episode_has_nodes_of_each_class(file):
    sampler = dataset_of("graphs").episodes(file, "cora", INPUT)
    support, query, targets = sampler.episode(rng_of(0, 0), Shape(2, 3, 2))
    assert support.inputs.shape == (6, 8, 12)
    assert targets.tolist() == [0, 0, 1, 1]
    assert query.dtype == torch.int16


def test_blocks_need_no_file_and_are_new_graphs_each_time():
    sampler = dataset_of("graphs").episodes(None, "blocks", INPUT)
    first, second = (sampler.episode(rng_of(0, i), Shape(3, 2, 2)) for i in range(2))
    assert first.support.inputs.shape == (6, 8, 12)
    assert not torch.equal(first.query, second.query)


def test_most_edges_stay_in_their_block():
    graph = blocks(np.random.default_rng(0), 50)
    inside = [graph.labels[a] == graph.labels[b] for a, around in enumerate(graph.neighbours) for b in around]
    assert 1.5 / BLOCKS < np.mean(inside) < 1


def test_a_graph_is_mixed_with_blocks(file):
    sampler = dataset_of("graphs").episodes(file, "cora-blocks", INPUT)
    assert sampler.max_ways == 2
    items = [int((sampler.episode(rng_of(0, i), Shape(2, 1, 1)).query[:, 0, :4] == 50).sum()) for i in range(20)]
    assert 0 < sum(found == 2 for found in items) < 20  # item 49 is in all nodes of the file
