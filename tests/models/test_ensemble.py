"""Encoders of drawings side by side."""

from dataclasses import replace
from pathlib import Path

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


def saved(path: Path, spec: Spec) -> Path:
    checkpoint.save(path, spec, build(spec).state_dict())
    return path


def joining(folder: Path, paths: list[Path]) -> Run:
    options = {"size": 40, "sizes": SIZES, "scales": SCALES}
    recipe = Training(Spec("cosine", "ensemble", {}, options), steps=0).recipe()
    return Run(replace(recipe, members=tuple(path.stem for path in paths)), folder, "pair", starts=paths)


def test_a_recipe_of_members_takes_their_trained_encoders(tmp_path):
    paths = [saved(tmp_path / f"{size}.safetensors", Spec("cosine", "resnet")) for size in SIZES]
    run = joining(tmp_path, paths)
    for member, path in zip(run.learner.encoder.members, paths, strict=True):
        assert_close(member.state_dict(), checkpoint.load(path).encoder.state_dict())


def test_a_member_with_another_encoder_is_refused(tmp_path):
    paths = [saved(tmp_path / f"{name}.safetensors", Spec("cosine", name)) for name in ("resnet", "conv4")]
    with pytest.raises(ValueError, match="the members have other encoders than the ensemble"):
        joining(tmp_path, paths)
