"""R2-D2 against normal equations in numpy, and against fits known by construction."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from models.checkpoint import Spec, build
from models.functional import adapt_many
from models.learner import Episode, Support, full_mask
from models.learners.ridge import Ridge, ridge_regression
from models.testing.case import padded
from tests.models.learners import STRIDED, VECTOR, fresh, query, support

CLASSIFY = Spec("ridge", "conv4", {"scale": 10.0}, STRIDED)
REGRESS = Spec("ridge", "mlp", {"kind": "regression", "ridge": 0.1}, VECTOR)


def identity(**options: object) -> Ridge:
    """The encoder changes nothing."""
    return Ridge(nn.Identity(), **options).double()


def by_normal_equations(points: np.ndarray, values: np.ndarray, ridge: float) -> np.ndarray:
    """Least squares on the points with sqrt(ridge) times the identity below, and zeros as its values."""
    d = points.shape[1]
    below = np.sqrt(ridge) * np.eye(d)
    stacked = np.concatenate([points, below]), np.concatenate([values, np.zeros((d, values.shape[1]))])
    return np.linalg.lstsq(*stacked, rcond=None)[0]


@pytest.mark.parametrize("n", [3, 8, 9, 40])
@pytest.mark.parametrize("ridge", [1e-3, 1.0, 50.0])
def test_the_weights_solve_the_normal_equations_with_few_points_and_with_many(n, ridge):
    rng = np.random.default_rng(n)
    points, values = rng.normal(size=(n, 8)), rng.normal(size=(n, 3))
    weights = ridge_regression(torch.tensor(points), torch.tensor(values), torch.tensor(ridge))
    np.testing.assert_allclose(weights, by_normal_equations(points, values, ridge), atol=1e-9)


@pytest.mark.parametrize("spec", [CLASSIFY, REGRESS], ids=["classification", "regression"])
def test_a_learner_is_ridge_regression_on_its_features(spec):
    learner = fresh(spec, torch.float64)
    full, asked = support(spec, [1, 3, 2], dtype=torch.float64), query(spec, 4, dtype=torch.float64)
    seen, new = (
        np.pad(learner.encoder(inputs), ((0, 0), (0, 1)), constant_values=1) for inputs in (full.inputs, asked)
    )
    values = np.eye(3)[full.targets] if full.ways else full.targets.numpy()
    options = {"ridge": 1.0, "scale": 1.0} | spec.learner_options
    expected = options["scale"] * new @ by_normal_equations(seen, values, options["ridge"])
    np.testing.assert_allclose(learner.answer(full, asked), expected, atol=1e-6)  # float32 options


def test_a_line_is_found_with_its_intercept():
    x = torch.linspace(-1, 1, 5, dtype=torch.float64).unsqueeze(-1)
    state = identity(kind="regression", ridge=1e-9).adapt(Support(x, 3 * x + 2, full_mask(x), 0))
    assert_close(state["weights"], torch.tensor([[3.0], [2.0]]).double(), rtol=0, atol=1e-6)


def test_a_strong_ridge_shrinks_the_weights_to_zero():
    x = torch.eye(3, dtype=torch.float64)
    weights = identity(ridge=1e9).adapt(Support(x, torch.arange(3), full_mask(x), 3))["weights"]
    assert weights.abs().max() < 1e-8


def test_normalised_features_forget_their_length():
    x, long = torch.eye(3, dtype=torch.float64), 7 * torch.eye(3, dtype=torch.float64)
    learner = identity(normalised=True)
    assert_close(learner.encode(long), learner.encode(x))


@pytest.mark.parametrize("spec", [CLASSIFY, REGRESS], ids=["classification", "regression"])
def test_padding_may_change_which_system_is_solved_but_not_its_solution(spec):
    learner, full = fresh(spec, torch.float64), support(spec, [2, 2], dtype=torch.float64)
    behind = padded(full, learner.encoder.feature_dim)
    assert_close(
        learner.adapt(learner.encode_support(behind)), learner.adapt(learner.encode_support(full)), rtol=1e-7, atol=1e-9
    )


def test_the_gradient_reaches_the_ridge_the_scale_and_the_encoder_through_the_solver():
    torch.manual_seed(0)
    learner = build(CLASSIFY).double()
    full, asked = support(CLASSIFY, [1, 2, 2], dtype=torch.float64), support(CLASSIFY, [2, 2, 2], 1, torch.float64)
    loss = learner.outer_loss(Episode(full, asked.inputs, asked.targets), 0.0)
    for gradient in torch.autograd.grad(loss, list(learner.parameters())):
        assert gradient.abs().sum() > 0
    assert torch.autograd.gradcheck(ridge_regression, gradcheck_points(), atol=1e-6)


def gradcheck_points() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 4), (3, 2))
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]
    return [*drawn, torch.tensor(0.7, dtype=torch.float64, requires_grad=True)]


def test_a_client_with_overflowing_numbers_fails_alone():
    learner = identity(kind="regression").float()
    x = torch.stack([torch.full((4, 1), size) for size in (1.0, 1e20)])
    states = adapt_many(learner, Support(x, x.clone(), torch.ones(2, 4, dtype=torch.bool), 0))
    assert states["weights"].flatten(1).isfinite().all(1).tolist() == [True, False]
