"""Matching networks against votes counted by hand, and full context embeddings against torch's own LSTMs."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from models.functional import adapt_many
from models.learner import Support
from models.learners.matching import FullContext, MatchingNet

TIGHT = {"rtol": 1e-9, "atol": 1e-9}


def support_of(points: list[list[float]], labels: list[int]) -> Support:
    mask = torch.ones(len(labels), dtype=torch.bool)
    return Support(torch.tensor(points), torch.tensor(labels), mask, max(labels) + 1)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def votes(learner: MatchingNet, support: Support, query: list[list[float]]) -> Tensor:
    return learner.answer(support, torch.tensor(query)).exp()


def test_a_query_between_two_examples_gives_each_half_its_vote():
    assert_close(
        votes(MatchingNet(nn.Identity()), support_of([[1.0, 0.0], [0.0, 7.0]], [0, 1]), [[3.0, 3.0]]),
        torch.tensor([[0.5, 0.5]]),
    )


@pytest.mark.parametrize("scale", [1.0, 4.0, 10.0])
def test_probabilities_are_attention_summed_by_class_in_a_loop(scale):
    learner = MatchingNet(nn.Identity(), scale=scale).double()
    points, query, labels = normal(6, 3), normal(4, 3, seed=1), [0, 1, 0, 2, 2, 0]
    support = Support(points, torch.tensor(labels), torch.ones(6, dtype=torch.bool), 3)
    expected = torch.zeros(4, 3, dtype=torch.float64)
    for row, asked in enumerate(query.tolist()):
        weights = []
        for point in points.tolist():
            cosine = sum(a * b for a, b in zip(asked, point, strict=True)) / (math.hypot(*asked) * math.hypot(*point))
            weights.append(math.exp(scale * cosine))
        for weight, label in zip(weights, labels, strict=True):
            expected[row, label] += weight / sum(weights)
    assert_close(learner.answer(support, query).exp(), expected, rtol=1e-6, atol=1e-6)


def test_examples_under_the_mask_have_no_vote():
    full = support_of([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0, 1, 1])
    learner = MatchingNet(nn.Identity())
    masked = votes(learner, full._replace(mask=torch.tensor([True, True, False])), [[1.0, 1.0]])
    assert_close(masked, torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize(("scale", "sharpest"), [(1.0, 0.71), (10.0, 1.0)])
def test_cosines_without_a_scale_cannot_be_sharp(scale, sharpest):
    opposite = support_of([[1.0], [-1.0], [-1.0], [-1.0]], [0, 1, 2, 3])
    assert_close(
        votes(MatchingNet(nn.Identity(), scale=scale), opposite, [[1.0]])[0, 0].item(), sharpest, rtol=0, atol=1e-2
    )


def test_a_class_with_more_examples_gets_more_of_the_vote():
    full = support_of([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], [0, 1, 1, 1])
    assert_close(votes(MatchingNet(nn.Identity()), full, [[1.0, 1.0]]), torch.tensor([[0.25, 0.75]]))


def test_answers_and_gradients_are_finite_where_the_attention_is_almost_nothing():
    learner = MatchingNet(nn.Identity(), scale=1e4)
    support = support_of([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [0, 1, 1])
    support.inputs.requires_grad_()
    answers = learner.answer(support, torch.tensor([[1.0, 0.0]]))
    answers.sum().backward()
    assert answers.isfinite().all()
    assert support.inputs.grad.isfinite().all()
    assert learner.log_scale.grad.isfinite()


def test_only_full_context_makes_the_order_matter():
    assert not MatchingNet(nn.Identity()).order_sensitive
    assert full_context_learner().order_sensitive


class Plane(nn.Identity):
    feature_dim = 3


def full_context_learner(steps: int = 4) -> MatchingNet:
    torch.manual_seed(0)
    return MatchingNet(Plane(), full_context=True, attention_steps=steps).double().requires_grad_(False)


def bidirectional(context: FullContext, features: Tensor) -> Tensor:
    """torch's own two-way LSTM with the weights of our cells."""
    width = features.shape[1]
    reference = nn.LSTM(width, width, bidirectional=True).double()
    for cell, suffix in [(context.ahead, "l0"), (context.back, "l0_reverse")]:
        for name, value in cell.named_parameters():
            getattr(reference, f"{name}_{suffix}").data.copy_(value)
    ahead, back = reference(features)[0].detach().chunk(2, -1)
    return features + ahead + back


def test_the_support_is_read_by_a_bidirectional_lstm():
    context = full_context_learner().context
    features = normal(6, 3)
    everything = torch.ones(6, dtype=torch.bool)
    assert_close(context.of_support(features, everything), bidirectional(context, features), **TIGHT)


@pytest.mark.parametrize("real", [[0, 1, 2], [1, 3, 4], [5, 6, 7]])
def test_padding_is_skipped_anywhere(real):
    context = full_context_learner().context
    features, mask = normal(8, 3), torch.zeros(8, dtype=torch.bool)
    mask[real] = True
    assert_close(context.of_support(features, mask)[real], bidirectional(context, features[real]), **TIGHT)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_query_reads_from_the_support_with_attention(steps):
    context = full_context_learner(steps).context
    queries, support = normal(5, 3), normal(4, 3, seed=1)
    mask = torch.tensor([True, True, False, True])
    expected = []
    for query in queries:
        hidden, memory = query, torch.zeros(3, dtype=torch.float64)
        for _ in range(steps):
            weights = torch.tensor([math.exp(hidden @ example) for example in support[mask]])
            read = sum(weight * example for weight, example in zip(weights / weights.sum(), support[mask], strict=True))
            hidden, memory = context.attention(torch.cat([query, read]), (hidden, memory))
            hidden = hidden + query
        expected.append(hidden)
    assert_close(context.of_query(queries, support, mask), torch.stack(expected), rtol=1e-6, atol=1e-6)


def test_full_context_trains_through_a_batch_of_clients():
    learner = full_context_learner().requires_grad_()
    mask = torch.tensor([[True, True, True, True], [True, True, True, False]])
    support = Support(normal(2, 4, 3), torch.tensor([[0, 1, 2, 2]] * 2), mask, 3)
    adapt_many(learner, support)["embeddings"].sum().backward()
    for cell in (learner.context.ahead, learner.context.back):
        assert all(weight.grad.isfinite().all() and weight.grad.any() for weight in cell.parameters())
