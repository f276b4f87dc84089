"""Cosine prototypes, test-time augmentation, and the loss of all pairs against loops over the choices of a support."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.learner import Episode, Learner, Support, full_mask
from models.learners.cosine import CosineProtoNet
from models.learners.protonet import ProtoNet
from models.test_time_augmentation import TRANSFORMATIONS, augmented_copies
from tests.models.learners import STRIDED, fresh, query, support

WAYS, SHOTS, QUERIES, FEATURES = 4, 1, 2, 6


def flat_episode(seed: int = 0) -> Episode:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(WAYS, SHOTS + QUERIES, FEATURES, generator=generator, dtype=torch.float64)
    labels = torch.arange(WAYS)
    targets = labels.repeat_interleave(SHOTS)
    learned = Support(inputs[:, :SHOTS].flatten(0, 1), targets, full_mask(targets), WAYS)
    return Episode(learned, inputs[:, SHOTS:].flatten(0, 1), labels.repeat_interleave(QUERIES))


@pytest.mark.parametrize("learner", [ProtoNet(nn.Identity()), CosineProtoNet(nn.Identity()).double()])
def test_the_outer_loss_is_the_mean_over_every_choice_of_a_support(learner: Learner):
    """Of the i-th examples of all classes: the service's own adapt and predict, for each i in turn."""
    episode = flat_episode()
    drawn = [inputs.reshape(WAYS, -1, FEATURES) for inputs in (episode.support.inputs, episode.query)]
    inputs, losses = torch.cat(drawn, 1), []
    for chosen, asked in itertools.permutations(range(SHOTS + QUERIES), 2):
        labels = torch.arange(WAYS)
        support = Support(inputs[:, chosen], labels, full_mask(labels), WAYS)
        losses.append(F.cross_entropy(learner.answer(support, inputs[:, asked]), labels))
    assert_close(learner.outer_loss(episode, 0.0), torch.stack(losses).mean(), rtol=1e-9, atol=1e-9)


def test_answers_are_cosines_to_the_mean_directions_times_the_scale():
    learner = CosineProtoNet(nn.Identity(), scale=7.0).double()
    inputs = torch.tensor([[3.0, 0.0], [0.0, 5.0], [-2.0, 0.0]]).double()
    full = Support(inputs, torch.tensor([0, 0, 1]), torch.ones(3, dtype=torch.bool), 2)
    asked = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).double()
    half = 0.5**0.5
    assert_close(learner.answer(full, asked), 7.0 * torch.tensor([[half, -1.0], [1.0, -half]]).double())


def test_the_scale_is_learned():
    learner = CosineProtoNet(nn.Linear(FEATURES, 3)).double()
    learner.outer_loss(flat_episode(), 0.0).backward()
    assert learner.log_scale.grad.abs() > 0


def test_the_first_copy_is_the_drawing_and_the_others_are_transformed():
    images = torch.rand(3, 1, 28, 28)
    copies = augmented_copies(images, len(TRANSFORMATIONS))
    assert_close(copies[0], images, rtol=0, atol=0)
    assert all((copy - images).abs().max() > 0.05 for copy in copies[1:])


def test_an_example_is_encoded_as_the_mean_direction_of_its_copies():
    specs = (Spec("cosine", "conv4", {"test_time_augmentation": copies}, STRIDED) for copies in (1, 4))
    plain, augmenting = (fresh(spec, torch.float64) for spec in specs)
    augmenting.load_state_dict(plain.state_dict())
    inputs = query(Spec("cosine", "conv4", {}, STRIDED), 3, dtype=torch.float64)
    each = [plain.encode(copy) for copy in augmented_copies(inputs, 4)]
    assert_close(augmenting.encode(inputs), F.normalize(torch.stack(each).mean(0), dim=-1))


def test_a_residual_encoder_gives_features_of_its_last_width_for_any_batch():
    spec = Spec("cosine", "resnet", {}, {"widths": [8, 16]})
    learner = build(spec).eval()
    assert learner.encoder(torch.rand(3, 1, 28, 28)).shape == (3, 16)
    full = learner.encode_support(support(Spec("cosine", "conv4"), [1, 2]))
    assert learner.adapt(full)["prototypes"].shape == (2, 16)
