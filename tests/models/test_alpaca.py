"""ALPaCA is Bayesian linear regression."""

import torch

from models.encoders import ENCODERS
from models.learner import Support
from models.learners.alpaca import ALPaCA


def learner(**options: float) -> ALPaCA:
    torch.manual_seed(0)
    made = ALPaCA(ENCODERS["identity"](), 3, **options).double().requires_grad_(False)
    made.mean.copy_(torch.randn(4, 1))
    made.factor.copy_(torch.randn(4, 4))
    return made


def support(count: int) -> Support:
    targets = torch.randn(count, 1, dtype=torch.float64)
    return Support(torch.randn(count, 3, dtype=torch.float64), targets, torch.ones(count, dtype=torch.bool), 0)


def test_the_weights_are_the_posterior_mean_in_closed_form():
    """Rasmussen and Williams 2006, section 2.1, for a prior with a mean."""
    one, examples = learner(noise=0.5), support(7)
    points = torch.cat([examples.inputs, torch.ones(7, 1)], 1)
    precision = torch.linalg.inv(one.factor @ one.factor.T)
    right = points.T @ examples.targets / 0.5 + precision @ one.mean
    expected = torch.linalg.solve(points.T @ points / 0.5 + precision, right)
    assert torch.allclose(one.adapt(examples)["weights"], expected, atol=1e-7)


def test_without_examples_the_answer_is_that_of_the_prior():
    one, query = learner(), torch.randn(2, 3, dtype=torch.float64)
    empty = support(1)._replace(mask=torch.zeros(1, dtype=torch.bool))
    expected = torch.cat([query, torch.ones(2, 1)], 1) @ one.mean
    assert torch.allclose(one.predict(one.adapt(empty), query), expected)
