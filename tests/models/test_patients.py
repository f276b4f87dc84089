"""Episodes of patients, and the prior that hospitals share."""

import gzip

import numpy as np
import pytest
import torch

from models.checkpoint import Spec
from models.datasets import dataset_of, patients
from models.datasets.episode import Shape, rng_of
from models.encoders.prior import Prior
from models.testing.laws import LAWS, Case
from tests.models.learners import fresh

HEAD = "site,age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num"
INPUT = {"type": "record"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables")
    rows = [
        f"{site},{40 + i},{i % 2},{1 + i % 4},120,{0 if i == 1 else 200},,0,150,0,1.5,,,3,{i % 3}"
        for site in patients.HOSPITALS
        for i in range(40)
    ]
    (path / patients.FILE).write_bytes(gzip.compress("\n".join([HEAD, *rows]).encode()))
    return path


def test_codes_are_read_as_names_and_what_was_not_measured_as_missing(folder):
    table = patients.read(folder / patients.FILE)["va"]
    first, second = table.rows[:2]
    assert (first["chest pain"], first["male"], first["cholesterol"]) == ("typical angina", False, 200)
    assert (second["cholesterol"], second["fasting sugar over 120"], second["vessels"]) == (None, None, None)
    assert table.labels[:3] == ["no disease", "disease", "disease"]


def test_a_split_without_a_hospital_has_none_of_its_patients(folder):
    assert [each.name for each in dataset_of("patients").episodes(folder, "va", INPUT).hospitals] == ["va"]
    others = dataset_of("patients").episodes(folder, "without-va", INPUT).hospitals
    assert [each.name for each in others] == ["cleveland", "hungarian", "switzerland"]


def test_an_episode_has_patients_of_both_classes(folder):
    sampler = dataset_of("patients").episodes(folder, "without-va", INPUT)
    episode = sampler.episode(rng_of(0, 0), Shape(2, 3, 5))
    assert len(episode.support.targets) == 6
    assert set(episode.support.targets.tolist()) == {0, 1}
    assert episode.query.shape == (10, len(patients.scaling()["centres"]))


def test_a_missing_number_counts_as_the_usual_one():
    torch.manual_seed(0)
    encoder = Prior([1.0, 2.0], [1.0, 0.5])
    assert encoder.feature_dim == 3
    assert (encoder(torch.tensor([[np.nan, 2.0]])) == 0).all()
    assert (encoder(torch.tensor([[np.nan, 3.0]])) == encoder(torch.tensor([[1.0, 3.0]]))).all()


def test_ridge_on_the_features_is_the_prior():
    """Rasmussen and Williams 2006, equation 2.11: the weights have the covariance of the encoder."""
    torch.manual_seed(0)
    encoder = Prior([0.0] * 3, [1.0] * 3).double()
    inputs = torch.randn(5, 3, dtype=torch.float64)
    features = encoder(inputs)
    covariance = encoder.directions @ encoder.directions.T + encoder.own.square().diag()
    assert torch.allclose(features @ features.T, inputs @ covariance @ inputs.T)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_ridge_on_the_prior_obeys(law):
    spec = Spec("ridge", "prior", {}, {"centres": [0.1] * 6, "scales": [0.5] * 6})
    law(Case(lambda: fresh(spec), lambda count, generator: torch.randn(count, 6, generator=generator)))
