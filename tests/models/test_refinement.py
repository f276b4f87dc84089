"""Examples without a label refine what is learned from the others."""

from functools import partial

import pytest
import torch
from torch import Tensor

from models.checkpoint import Spec
from models.functional import adapt_many, predict_many
from models.learner import Learner, Support
from models.learners import LEARNERS
from models.refinement import UNLABELLED, refined, refined_alone
from service import arrays
from tests.models.learners import build

LEARNED = ("protonet", "cosine", "ridge", "logistic", "named-logistic")


def learner_of(name: str) -> Learner:
    return build(Spec(name, "identity", {}, {})).double().eval().requires_grad_(False)


def blobs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points (2 * count, 2) around two centres, and their classes."""
    drawn = torch.randn(2, count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    centres = torch.tensor([[3.0, 0.5], [0.5, 3.0]], dtype=torch.float64)
    return (centres.unsqueeze(1) + drawn).flatten(0, 1), torch.arange(2).repeat_interleave(count)


def support(unlabelled: int, seed: int = 0) -> Support:
    """One labelled point of each class, and points without a label."""
    points, _ = blobs(unlabelled + 1, seed)
    targets = torch.full((len(points),), UNLABELLED)
    targets[0], targets[unlabelled + 1] = 0, 1
    return Support(points, targets, torch.ones(len(points), dtype=torch.bool), 2)


def refine(learner: Learner, given: Support) -> Support:
    return refined_alone(given, partial(adapt_many, learner), partial(predict_many, learner))


def test_the_service_and_the_models_mean_the_same_by_no_label():
    assert UNLABELLED == arrays.UNLABELLED


@pytest.mark.parametrize("name", LEARNED)
def test_labels_stay_and_the_others_count_together_at_most_as_much(name):
    given = support(8)
    found = refine(learner_of(name), given)
    known = given.targets != UNLABELLED
    assert found.targets[known].equal(given.targets[known])
    assert found.weights[known].eq(1).all()
    assert ((found.weights >= 0) & (found.weights <= 1)).all()
    for label in range(2):
        assert found.weights[~known & (found.targets == label)].sum() <= 1 + 1e-9


@pytest.mark.parametrize("name", LEARNED)
def test_examples_without_a_label_help_where_the_labelled_ones_are_few(name):
    learner, (query, targets) = learner_of(name), blobs(200, 99)
    right, before = 0, 0
    for seed in range(10):
        given = support(20, seed)
        known = given.targets != UNLABELLED
        alone = given._replace(**{each: getattr(given, each)[known] for each in ("inputs", "targets", "mask")})
        right += int((learner.predict(learner.adapt(refine(learner, given)), query).argmax(-1) == targets).sum())
        before += int((learner.predict(learner.adapt(alone), query).argmax(-1) == targets).sum())
    assert right > before


def test_padding_and_other_clients_change_nothing():
    learner, given = learner_of("cosine"), support(5)
    padded = Support(
        torch.cat([given.inputs, 9 * torch.ones(3, 2, dtype=torch.float64)]),
        torch.cat([given.targets, torch.zeros(3, dtype=torch.long)]),
        torch.cat([given.mask, torch.zeros(3, dtype=torch.bool)]),
        2,
    )
    other = padded._replace(inputs=padded.inputs.flip(-1))
    both = Support(*(torch.stack([getattr(one, name) for one in (padded, other)]) for name in padded._fields[:3]), 2)
    found = refined(both, partial(adapt_many, learner), partial(predict_many, learner))
    alone = refine(learner, given)
    count = len(given.targets)
    torch.testing.assert_close(found.weights[0, :count], alone.weights)
    assert found.weights[0, count:].eq(0).all()
    assert found.targets[0, :count].equal(alone.targets)


def test_every_learner_that_weighs_and_classifies_can_be_refined():
    weighing = [name for name, kind in LEARNERS.items() if kind.weighted_examples]
    assert set(LEARNED) <= set(weighing)
