"""Random curves, and the exact answers with a known kernel."""

import numpy as np
import pytest
import torch

from models.datasets.curves import KERNELS, NOISE, Curves, Kernel, posterior
from models.datasets.episode import Shape, rng_of
from models.gaussian import covered
from models.learner import Support, full_mask


@pytest.mark.parametrize("name", KERNELS)
def test_the_covariance_is_one_at_no_distance_and_falls(name):
    kernel, x = Kernel(name, length=0.5, period=2.0), np.linspace(-0.5, 0.5, 9)[:, None]
    covariances = kernel(x, x)
    assert np.diag(covariances) == pytest.approx(np.ones(9))
    assert (np.diff(covariances[0]) < 0).all()
    assert np.linalg.eigvalsh(covariances).min() > -1e-9


@pytest.mark.parametrize("name", ["periodic", "sine"])
def test_a_periodic_curve_is_the_same_after_a_period(name):
    kernel = Kernel(name, length=0.5, period=2.0)
    assert kernel(np.array([[0.3]]), np.array([[2.3]])).item() == pytest.approx(1.0)


def test_the_exact_answer_to_a_point_that_is_known_is_its_value():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.7], [-0.2]])
    support = Support(x, y, full_mask(y), ways=0)
    means, deviations = posterior(Kernel("rbf", 0.5, 1.0), support, torch.tensor([[0.0], [50.0]])).T
    assert means.tolist() == pytest.approx([0.7, 0.0], abs=0.01)
    assert deviations.tolist() == pytest.approx([NOISE * 2**0.5, (1 + NOISE**2) ** 0.5], rel=0.01)


def test_the_exact_intervals_cover_what_they_say():
    """400 curves with 20 queries each: the share is within 3 points of 90 %."""
    sampler, shape, shares = Curves(KERNELS), Shape(0, 8, 20), []
    for i in range(400):
        kernel, (support, query, targets) = sampler.draw(rng_of(0, i), shape)
        shares.append(covered(posterior(kernel, support, query), targets).item())
    assert abs(np.mean(shares) - 0.9) < 0.03


def test_the_same_seed_draws_the_same_curve():
    first, again = (Curves(("rbf",)).episode(rng_of(3, 4), Shape(0, 2, 3)) for _ in range(2))
    torch.testing.assert_close(first.query, again.query)
    torch.testing.assert_close(first.targets, again.targets)
    assert first.support.inputs.shape == (2, 1)
    assert first.targets.shape == (3, 1)
