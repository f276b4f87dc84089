"""A head that reads from the support set how to learn from it."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from models.encoders.identity import Identity
from models.learner import Episode, Support, full_mask
from models.learners.any_features import SHIPPED, AnyFeatures, statistics


def task(ways: int, shots: int, width: int, noise: float = 0.3, seed: int = 0) -> Episode:
    """Classes around random directions, with as many queries as examples."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(ways, 1, width, generator=generator)
    drawn = F.normalize(centres + noise * torch.randn(ways, 2 * shots, width, generator=generator), dim=-1)
    targets = torch.arange(ways).repeat_interleave(shots)
    support = drawn[:, :shots].flatten(0, 1)
    return Episode(Support(support, targets, full_mask(targets), ways), drawn[:, shots:].flatten(0, 1), targets)


@pytest.fixture
def learner() -> AnyFeatures:
    torch.manual_seed(0)
    return AnyFeatures(Identity()).eval().requires_grad_(False)


@pytest.mark.parametrize("width", [8, 100, 1000])
def test_features_of_any_length_are_told_apart_without_training(learner, width):
    support, query, targets = task(5, 3, width)
    answers = learner.answer(support, query)
    assert (answers.argmax(-1) == targets).float().mean() > 0.9


def test_the_statistics_do_not_depend_on_order_names_or_padding():
    support = task(4, 3, 10).support
    order, names = torch.randperm(12), torch.tensor([2, 0, 3, 1])
    other = support._replace(inputs=support.inputs[order], targets=names[support.targets[order]])
    torch.testing.assert_close(statistics(other), statistics(support))
    padded = Support(
        torch.cat([support.inputs, 9 * torch.ones(2, 10)]), torch.cat([support.targets, torch.zeros(2).long()]),
        torch.cat([support.mask, torch.zeros(2, dtype=torch.bool)]), 4,
    )  # fmt: skip
    torch.testing.assert_close(statistics(padded), statistics(support))


def test_one_example_a_class_has_no_likeness_within():
    within = statistics(task(4, 1, 10).support)[2]
    assert within == 0


def test_training_on_noisy_tasks_makes_it_less_certain():
    learner = AnyFeatures(Identity())
    optimiser = torch.optim.Adam(learner.parameters(), 0.02)
    noisy = [task(5, 2, 30, noise=3.0, seed=seed) for seed in range(40)]
    before = sum(learner.outer_loss(each, 0.0).item() for each in noisy)
    for each in noisy:
        optimiser.zero_grad()
        torch.autograd.backward(learner.outer_loss(each, 0.0))
        optimiser.step()
    assert sum(learner.outer_loss(each, 1.0).item() for each in noisy) < before - 1


def test_the_weights_that_ship_are_loaded():
    trained = AnyFeatures(Identity(), trained=True).state_dict()
    shipped = load_file(SHIPPED)
    assert sum(each.numel() for each in shipped.values()) == 163
    for name, value in shipped.items():
        torch.testing.assert_close(trained[name], value)


@pytest.mark.parametrize("shots", [1, 5])
def test_the_weights_that_ship_are_better_than_none(shots):
    support, query, targets = task(10, shots, 60, noise=1.5, seed=3)
    answers = [AnyFeatures(Identity(), trained=each).eval().answer(support, query) for each in (False, True)]
    before, after = (F.cross_entropy(each, targets).item() for each in answers)
    assert after < before
