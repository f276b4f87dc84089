"""PMF against torch's SGD on a copy of the encoder, and against cosine prototypes, where it starts."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.learner import Episode, Learner, Support
from models.learners.cosine import CosineProtoNet
from models.test_time_augmentation import augmented_copies
from tests.models.learners import POOLED, STRIDED, fresh, query, support

OPTIONS = {"copies": 3, "inner_lr": 0.05, "eval_inner_steps": 4}
SPECS = [Spec("pmf", "conv4", OPTIONS, STRIDED), Spec("pmf", "conv4", OPTIONS, POOLED)]
over_norms = pytest.mark.parametrize("spec", SPECS, ids=["group", "batch"])


def means_of(directions: Tensor, full: Support) -> Tensor:
    return F.normalize(torch.stack([directions[full.targets == way].mean(0) for way in range(full.ways)]), dim=-1)


def fine_tuned(learner: Learner, full: Support) -> torch.nn.Module:
    """A copy of the encoder after SGD in place, as the authors' code fine-tunes the shared one."""
    encoder = copy.deepcopy(learner.encoder).requires_grad_(True)
    optimiser = torch.optim.SGD(encoder.parameters(), lr=learner.inner_lr)
    for _ in range(learner.eval_inner_steps):
        prototypes = means_of(F.normalize(encoder(full.inputs), dim=-1), full)
        logits = torch.cat([
            learner.log_scale.exp() * F.normalize(encoder(moved), dim=-1) @ prototypes.T
            for moved in augmented_copies(full.inputs, 1 + learner.copies)[1:]
        ])  # fmt: skip
        optimiser.zero_grad()
        F.cross_entropy(logits, full.targets.repeat(learner.copies)).backward()
        optimiser.step()
    return encoder.requires_grad_(False)


@over_norms
def test_the_state_equals_a_copy_of_the_encoder_after_torch_sgd(spec):
    learner, asked = fresh(spec, torch.float64), query(spec, 4, dtype=torch.float64)
    full = support(spec, [1, 3, 2], dtype=torch.float64)
    state, encoder = learner.adapt(full), fine_tuned(learner, full)
    for name, value in encoder.named_parameters():
        assert_close(state[f"encoder.{name}"], value, rtol=0, atol=1e-9)
    prototypes = means_of(F.normalize(encoder(full.inputs), dim=-1), full)
    assert_close(state["prototypes"], prototypes, rtol=0, atol=1e-9)
    expected = learner.log_scale.exp() * F.normalize(encoder(asked), dim=-1) @ prototypes.T
    assert_close(learner.predict(state, asked), expected, rtol=0, atol=1e-8)


@over_norms
def test_fine_tuning_lowers_the_loss_of_the_augmented_copies(spec):
    learner, full = fresh(spec, torch.float64), support(spec, [2, 2, 2], dtype=torch.float64)
    loss, own = learner.support_loss(full), learner.adapt(full)
    own.pop("prototypes")
    assert loss(own) < loss({name: value for name, value in learner.named_parameters() if name in own})


@over_norms
def test_shared_weights_and_running_statistics_do_not_change(spec):
    learner = fresh(spec)
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    state = learner.adapt(support(spec, [2, 2]))
    learner.predict(state, query(spec, 3))
    assert_close(dict(learner.state_dict()), before, rtol=0, atol=0)
    assert not any("running" in name or "tracked" in name for name in state)


def test_with_a_learning_rate_of_zero_it_is_cosine_prototypes():
    learner = fresh(Spec("pmf", "conv4", OPTIONS | {"inner_lr": 0.0}, STRIDED), torch.float64)
    full, asked = support(SPECS[0], [1, 3], dtype=torch.float64), query(SPECS[0], 4, dtype=torch.float64)
    cosine = CosineProtoNet(learner.encoder).double()
    assert_close(learner.answer(full, asked), cosine.answer(full, asked))


def test_in_training_nothing_is_fine_tuned_and_scale_and_encoder_learn():
    torch.manual_seed(0)
    learner, full, asked = build(SPECS[0]).train(), support(SPECS[0], [2, 2]), support(SPECS[0], [2, 2], 1)
    state = learner.adapt(full)
    for name, value in learner.encoder.named_parameters():
        assert_close(state[f"encoder.{name}"], value, rtol=0, atol=0)
    loss = learner.outer_loss(Episode(full, asked.inputs, asked.targets), 0.0)
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(loss, list(learner.parameters())))
