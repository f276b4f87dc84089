"""The temperature and the calibration error, on answers with known probabilities."""

import math

import pytest
import torch
import torch.nn.functional as F

from models.training.calibration import calibration_error, fit_temperature
from models.training.evaluation import Predictions


def honest(count: int, ways: int, seed: int = 0) -> Predictions:
    """Logits, and targets that are drawn from their softmax."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, ways, generator=generator)
    return Predictions(logits, torch.multinomial(F.softmax(logits, -1), 1, generator=generator).squeeze(1))


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_temperature_undoes_a_wrong_scale(scale):
    logits, targets = honest(20_000, 5)
    assert fit_temperature([Predictions(logits * scale, targets)]) == pytest.approx(scale, rel=0.05)


def test_the_temperature_is_the_minimum_of_the_cross_entropy_over_all_episodes_together():
    episodes = [honest(50, ways, seed) for seed, ways in enumerate((2, 5, 20))]
    best = fit_temperature(episodes)

    def lost(temperature: float) -> float:
        return sum(
            F.cross_entropy(logits / temperature, targets, reduction="sum").item() for logits, targets in episodes
        )

    assert lost(best) < min(lost(best * 1.05), lost(best / 1.05))


def test_the_temperature_is_finite_when_all_answers_are_right():
    temperature = fit_temperature([Predictions(torch.eye(3), torch.arange(3))])
    assert math.isfinite(temperature)
    assert temperature > 0


def test_few_answers_that_are_all_right_leave_the_temperature_near_the_usual_one():
    right = [Predictions(3 * torch.eye(3), torch.arange(3))] * 200
    assert fit_temperature(right) < 0.01
    assert 0.5 < fit_temperature(right, examples=20) < fit_temperature(right, examples=20, usual=2.0) < 1


def test_many_answers_outweigh_the_usual_temperature():
    logits, targets = honest(20_000, 5)
    fitted = fit_temperature([Predictions(logits * 30, targets)], examples=20_000)
    assert fitted == pytest.approx(30, rel=0.06)


def test_calibrated_probabilities_have_a_small_error_and_overconfident_ones_a_large_one():
    logits, targets = honest(20_000, 5)
    assert calibration_error([Predictions(logits, targets)], 1.0) < 0.01
    assert calibration_error([Predictions(logits * 10, targets)], 1.0) > 0.1
    assert calibration_error([Predictions(logits * 10, targets)], 10.0) < 0.01


def test_the_calibration_error_equals_the_value_by_hand():
    logits = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8]]).log()
    predictions = Predictions(logits, torch.tensor([0, 1, 1, 1]))
    # bins of 1/15: 0.9 twice, right once; 0.7 once, right; 0.8 once, right
    expected = (abs(2 * 0.9 - 1) + abs(0.7 - 1) + abs(0.8 - 1)) / 4
    assert calibration_error([predictions], 1.0) == pytest.approx(expected, abs=1e-6)
