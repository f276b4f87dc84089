"""The graph network against one node and one edge at a time."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from models.learner import Support
from models.learners.gnn import GraphConvolution, GraphNet, edges_of

TIGHT = {"rtol": 1e-9, "atol": 1e-9}


class Space(nn.Identity):
    feature_dim = 6


def learner_of(outputs: int = 4, rounds: int = 3) -> GraphNet:
    torch.manual_seed(0)
    return GraphNet(Space(), outputs=outputs, width=8, rounds=rounds).double().requires_grad_(False)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def support_of(labels: list[int], seed: int = 0) -> Support:
    mask = torch.ones(len(labels), dtype=torch.bool)
    return Support(normal(len(labels), 6, seed=seed), torch.tensor(labels), mask, max(labels) + 1)


@pytest.mark.parametrize("rounds", [1, 3])
def test_answers_equal_those_of_one_graph_per_query(rounds):
    learner, full, query = learner_of(rounds=rounds), support_of([0, 1, 2, 1]), normal(3, 6, seed=1)
    expected = torch.stack([answers_of_one_graph(learner, full, asked) for asked in query])
    assert_close(learner.answer(full, query), expected, **TIGHT)


def answers_of_one_graph(learner: GraphNet, full: Support, asked: Tensor) -> Tensor:
    """The query first, as in the authors' code, and the last round on all nodes."""
    nodes = [torch.cat([learner.norm(asked), torch.zeros(4).double()])]
    for example, label in zip(full.inputs, full.targets, strict=True):
        nodes.append(torch.cat([learner.norm(example), torch.eye(4).double()[label]]))
    for convolution in learner.rounds:
        added = [convolved(convolution, nodes, i) for i in range(len(nodes))]
        normalised = [(x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() for x in added]
        nodes = [torch.cat([x, torch.where(y > 0, y, 0.01 * y)]) for x, y in zip(nodes, normalised, strict=True)]
    return convolved(learner.read_out, nodes, 0)[: full.ways]


def convolved(convolution: GraphConvolution, nodes: list[Tensor], i: int) -> Tensor:
    others = [j for j in range(len(nodes)) if j != i]
    differences = [
        (convolution.project.weight @ nodes[i] - convolution.project.weight @ nodes[j]).abs() for j in others
    ]
    weights = [math.exp(convolution.likeness(difference)) for difference in differences]
    neighbours = sum(weight * nodes[j] for weight, j in zip(weights, others, strict=True)) / sum(weights)
    return convolution.convolve(torch.cat([nodes[i], neighbours]))


def test_no_edge_goes_to_padding_or_to_the_node_itself():
    allowed = edges_of(torch.tensor([True, False, True]))
    assert allowed.int().tolist() == [[0, 0, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [1, 0, 1, 0]]


def test_the_last_round_ignores_nodes_without_an_edge():
    convolution, nodes = learner_of().read_out, normal(2, 5, 26)
    edges = torch.tensor([[True, False, True, True, False]])
    changed = nodes.clone()
    changed[:, [1, 4]] = 1e3
    answers, others = (convolution(nodes[:, :1], neighbours, edges) for neighbours in (nodes, changed))
    assert_close(answers, others, **TIGHT)


def test_a_query_does_not_see_another():
    learner, query = learner_of(), normal(3, 6, seed=1)
    state = learner.adapt(learner.encode_support(support_of([0, 1, 2])))
    other = torch.cat([query[:1], 100 * query[1:]])
    assert_close(learner.predict(state, other)[0], learner.predict(state, query)[0], **TIGHT)


@pytest.mark.parametrize("ways", [2, 4])
def test_fewer_classes_take_the_first_slots(ways):
    learner = learner_of(outputs=4)
    state = learner.adapt(learner.encode_support(support_of([*range(ways)])))
    assert state["labels"].shape == (ways, ways)
    assert learner.predict(state, normal(5, 6, seed=1)).shape == (5, ways)
    assert learner.max_ways == 4


@pytest.mark.parametrize("seed", range(3))
def test_an_untrained_learner_gives_a_query_the_label_of_an_equal_example(seed):
    torch.manual_seed(seed)
    learner = GraphNet(Space(), outputs=5).double().requires_grad_(False)
    full = support_of([0, 1, 2, 3, 4], seed=seed)
    assert learner.answer(full, full.inputs).argmax(-1).tolist() == [0, 1, 2, 3, 4]
