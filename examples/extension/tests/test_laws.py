"""The laws of a learner, which Handful brings."""

import pytest
import torch

from models.checkpoint import Spec, build
from models.testing.laws import LAWS, Case

CASE = Case(
    learner=lambda: build(Spec("kernel-density", "spectrum", {}, {"length": 16, "width": 5})),
    inputs=lambda count, generator: torch.randn(count, 16, generator=generator),
)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_kernel_density_obeys_the_law(law):
    law(CASE)
