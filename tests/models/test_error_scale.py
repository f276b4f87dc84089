"""The errors of a regression over tasks."""

import pytest
import torch

from models.datasets.episode import EpisodeSampler
from models.learner import Episode, Kind, Learner, Support, full_mask
from models.training.error_scale import LEVELS, error_quantiles


class Mean(Learner):
    """Answers the mean of the labels."""

    algorithm = paper = "for this test"
    kind = Kind.REGRESSION

    def adapt(self, support: Support) -> dict[str, torch.Tensor]:
        return {"mean": support.targets.mean(0)}

    def predict(self, state, query):
        return state["mean"].expand(len(query), -1)


class Steps(EpisodeSampler):
    """Labels 0 and `top` in turn; the queries are `top` above the mean of these."""

    def __init__(self, top: float) -> None:
        self.top = top

    def episode(self, rng, shape) -> Episode:
        labels = torch.tensor([[0.0], [self.top]]).repeat(shape.shots // 2, 1)
        wanted = torch.full((shape.queries, 1), 1.5 * self.top)
        return Episode(Support(labels, labels, full_mask(labels), 0), wanted, wanted)


@pytest.mark.parametrize("top", [1.0, 1000.0])
def test_relative_errors_do_not_depend_on_the_unit_of_the_labels(top):
    found = error_quantiles(Mean(), Steps(top), 4, 10, 0, "range")
    assert found == [pytest.approx(1.0)] * len(LEVELS)


class Sure(Mean):
    deviations = True

    def predict(self, state, query):
        values = super().predict(state, query)
        return torch.cat([values, torch.full_like(values, 2.0)], -1)


def test_errors_may_be_in_predicted_deviations():
    assert error_quantiles(Sure(), Steps(10.0), 4, 10, 0, "deviation") == [pytest.approx(5.0)] * len(LEVELS)


def test_a_learner_without_deviations_has_no_errors_in_them():
    with pytest.raises(ValueError, match="predicts no standard deviations"):
        error_quantiles(Mean(), Steps(10.0), 4, 10, 0, "deviation")


def test_absolute_errors_are_in_the_unit_of_the_labels():
    assert error_quantiles(Mean(), Steps(10.0), 4, 10, 0, "value") == [pytest.approx(10.0)] * len(LEVELS)


class Noise(EpisodeSampler):
    """Labels 0; queries uniform from 0 to 1."""

    def episode(self, rng, shape) -> Episode:
        zeros = torch.zeros(shape.shots, 1)
        wanted = torch.tensor(rng.uniform(size=(shape.queries, 1)), dtype=torch.float32)
        return Episode(Support(zeros, zeros, full_mask(zeros), 0), wanted, wanted)


def test_the_quantiles_are_a_little_above_those_of_the_errors():
    found = error_quantiles(Mean(), Noise(), 2, 400, 0, "value")
    assert found == sorted(found)
    for level, quantile in zip(LEVELS, found, strict=True):
        assert level < quantile < level + 0.06
