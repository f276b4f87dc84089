"""The average of the transformer over cells and of the kernel head."""

import torch
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Support
from models.learners.kernels import KernelHead
from models.learners.tables_in_context import TablesInContext
from tests.models.learners import IN_CONTEXT, fresh

ROWS, QUERY = torch.randn(17, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).split([12, 5])
SUPPORT = Support(ROWS, torch.arange(12) % 3, torch.ones(12, dtype=torch.bool), 3)


def test_the_probabilities_are_the_mean_of_those_of_both():
    both = fresh(Spec("averaged-tables", "identity", IN_CONTEXT), torch.float64)
    alone = TablesInContext(both.encoder, **IN_CONTEXT).double().eval()
    alone.load_state_dict({name: each for name, each in both.state_dict().items() if not name.startswith("kernels.")})
    expected = [each.answer(SUPPORT, QUERY).softmax(-1) for each in (alone, KernelHead(both.encoder).double())]
    assert_close(both.answer(SUPPORT, QUERY).exp(), sum(expected) / 2)
