"""Logistic regression with class names: the gate, calibration, and the laws with names."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from models.functional import adapt_many
from models.learner import Support, full_mask
from models.learners.named_logistic import FOLDS, NamedLogistic, _folds, name_contrast, open_gate
from models.logistic_solver import logistic_regression
from models.training.calibration import calibration_error
from models.training.evaluation import Predictions

WAYS, DIMENSIONS = 6, 32


def clusters(shots: int, *, noise: float = 0.6, seed: int = 0) -> tuple[Support, Tensor, Tensor]:
    """A support set of unit vectors around class centres, whose names are the centres; and queries with targets."""
    generator = torch.Generator().manual_seed(seed)
    centres = F.normalize(torch.randn(WAYS, DIMENSIONS, generator=generator), dim=-1)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        targets = torch.arange(WAYS).repeat_interleave(count)
        spread = noise * torch.randn(len(targets), DIMENSIONS, generator=generator) / DIMENSIONS**0.5 * 3
        return F.normalize(centres[targets] + spread, dim=-1), targets

    inputs, targets = drawn(shots)
    queries, answers = drawn(40)
    return Support(inputs, targets, full_mask(targets), WAYS, centres), queries, answers


def accuracy(support: Support, queries: Tensor, answers: Tensor) -> float:
    learner = NamedLogistic(nn.Identity())
    logits = learner.predict(learner.adapt(support), queries)
    return (logits.argmax(-1) == answers).float().mean().item()


def test_names_that_mean_something_help_at_one_shot():
    support, queries, answers = clusters(1)
    assert accuracy(support, queries, answers) > accuracy(support._replace(names=None), queries, answers) + 0.05


def test_names_that_mean_nothing_change_nothing():
    support, queries, _ = clusters(1)
    random = F.normalize(torch.randn(WAYS, DIMENSIONS, generator=torch.Generator().manual_seed(9)), dim=-1) * 0.0
    constant = random + F.normalize(torch.ones(DIMENSIONS), dim=0)
    learner = NamedLogistic(nn.Identity())
    state = learner.adapt(support._replace(names=constant))
    assert state["names"].sum() == 0
    without = learner.predict(learner.adapt(support._replace(names=None)), queries)
    assert_close(learner.predict(state, queries), without, rtol=0, atol=1e-4)


def test_a_few_names_that_do_not_fit_are_left_out():
    contrast = torch.tensor([0.5, 0.5, 0.5, 0.0, -0.1, 0.5])
    assert open_gate(contrast).tolist() == [True, True, True, False, False, True]
    assert open_gate(contrast * 0.1).sum() == 0
    assert open_gate(torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5, 0.0])).all(), "one of six is few"
    assert open_gate(torch.tensor([0.9, 0.0, 0.0])).all(), "of three classes none is left out"


def test_contrast_is_the_similarity_to_the_own_mean_minus_that_to_the_others():
    support = Support(torch.eye(2), torch.tensor([0, 1]), torch.ones(2, dtype=torch.bool), 2, torch.eye(2))
    assert_close(name_contrast(support), torch.ones(2))


def test_permuting_the_classes_with_their_names_permutes_the_answers():
    support, queries, _ = clusters(3)
    learner, order = NamedLogistic(nn.Identity()).double(), torch.randperm(WAYS, generator=torch.Generator())
    support = support._replace(inputs=support.inputs.double(), names=support.names.double())
    renamed = support._replace(targets=order.argsort()[support.targets], names=support.names[order])
    before = learner.predict(learner.adapt(support), queries.double())
    after = learner.predict(learner.adapt(renamed), queries.double())
    assert_close(after, before[:, order])


def test_clients_with_names_adapt_in_a_batch_as_alone():
    learner = NamedLogistic(nn.Identity())
    supports = [clusters(2, seed=seed)[0] for seed in range(3)]
    batch = Support(*(torch.stack(each) for each in list(zip(*supports, strict=True))[:3]), WAYS,
                    torch.stack([each.names for each in supports]))  # fmt: skip
    together = adapt_many(learner, batch)
    for i, support in enumerate(supports):
        for name, value in learner.adapt(support).items():
            assert_close(together[name][i], value, rtol=1e-4, atol=1e-5)


def test_every_class_is_spread_over_the_folds():
    support, _, _ = clusters(FOLDS)
    folds, counts = _folds(support)
    assert counts.tolist() == [FOLDS] * WAYS
    for members in folds.reshape(WAYS, FOLDS):
        assert sorted(members.tolist()) == list(range(FOLDS))


def test_with_one_shot_the_scale_depends_on_ways_and_shots_only():
    learner = NamedLogistic(nn.Identity())
    first, second = (learner.adapt(clusters(1, seed=seed)[0])["scale"] for seed in (0, 1))
    assert_close(first, second)


@pytest.mark.parametrize(("noise", "tolerance"), [(0.3, 0.02), (0.6, 0.05), (0.9, 0.08)])
def test_probabilities_are_calibrated_for_easy_and_for_hard_clients(noise, tolerance):
    learner, answered = NamedLogistic(nn.Identity()), []
    for seed in range(12):
        support, queries, answers = clusters(8, noise=noise, seed=seed)
        answered.append(Predictions(learner.predict(learner.adapt(support), queries), answers))
    assert calibration_error(answered, 1.0) < tolerance


def test_fewer_points_than_dimensions_give_the_same_minimum():
    generator = torch.Generator().manual_seed(0)
    points, labels = torch.randn(5, 9, generator=generator).double(), torch.eye(5).double()
    wide = logistic_regression(points, labels, 0.5, 200)
    padded = logistic_regression(F.pad(points, (0, 0, 0, 6)), F.pad(labels, (0, 0, 0, 6)), 0.5, 200)
    assert_close(wide, padded)


def test_noisy_examples_choose_a_stronger_penalty_and_one_example_a_class_the_usual_one():
    learner = NamedLogistic(nn.Identity())
    clean, noisy, few = (
        learner._fitted(clusters(shots, noise=noise)[0]).penalty for shots, noise in ((8, 0.2), (8, 2.0), (1, 2.0))
    )
    assert clean <= 0.2 < noisy
    assert few == pytest.approx(0.05)
