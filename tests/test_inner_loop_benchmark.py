"""The inner loops that are compared: one leaves the encoder as it is, the others do not."""

import pytest
import torch

from benchmarks.inner_loop import MORE_STEPS, variants
from models.learner import Support, full_mask


@pytest.mark.parametrize("model", ["glyphs-maml", "glyphs-alfa"])
def test_only_the_first_variant_keeps_the_encoder(model):
    targets = torch.arange(3).repeat_interleave(2)
    inputs = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    support = Support(inputs, targets, full_mask(targets), 3)
    kept = []
    for learner in variants(model):
        state = learner.adapt(support)
        before = learner.state_dict()
        kept.append(all(torch.equal(state[name], before[name]) for name in state if name.startswith("encoder.")))
        assert state["head.weight"].any()
    assert kept == [True, False, False]
    assert learner.steps_now() == MORE_STEPS
