"""Encoders of drawings side by side."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from models import checkpoint
from models.checkpoint import Spec, build
from models.encoders.ensemble import Ensemble, Resize
from models.training.meta_training import Run
from tests.models.trainings import Training

SIZES, SCALES = (40, 28), (1.0, 0.7)


@pytest.fixture
def encoder() -> Ensemble:
    torch.manual_seed(0)
    return Ensemble(40, SIZES, SCALES).eval().requires_grad_(False)


def test_a_cosine_is_the_weighted_mean_of_those_of_the_members(encoder):
    images = torch.rand(6, 1, 40, 40)
    small = F.interpolate(images, (28, 28), mode="bilinear", antialias=True)
    cosines = [
        F.cosine_similarity(found[:, None], found[None], dim=-1)
        for found in (member(each) for member, each in zip(encoder.members, (images, small), strict=True))
    ]
    features = encoder(images)
    expected = (cosines[0] + 0.49 * cosines[1]) / 1.49
    assert features.shape == (6, encoder.feature_dim)
    assert_close(F.cosine_similarity(features[:, None], features[None], dim=-1), expected)


@pytest.mark.parametrize(("before", "after"), [(40, 28), (28, 40), (105, 28)])
def test_a_resize_by_matrices_is_that_of_torch(before, after):
    images = torch.rand(2, 1, before, before)
    expected = F.interpolate(images, (after, after), mode="bilinear", antialias=True)
    assert_close(Resize(before, after)(images), expected, atol=1e-5, rtol=1e-5)


def test_a_recipe_of_members_takes_their_trained_encoders(tmp_path):
    paths = [tmp_path / f"{size}.safetensors" for size in SIZES]
    spec = Spec("cosine", "resnet")
    for path in paths:
        checkpoint.save(path, spec, build(spec).state_dict())
    options = {"size": 40, "sizes": SIZES, "scales": SCALES}
    run = Run(Training(Spec("cosine", "ensemble", {}, options), steps=0).recipe(), tmp_path, "pair", members=paths)
    for member, path in zip(run.learner.encoder.members, paths, strict=True):
        assert_close(member.state_dict(), checkpoint.load(path).encoder.state_dict())
