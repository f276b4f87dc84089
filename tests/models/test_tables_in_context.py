"""What the transformer over cells does beside the laws: columns have no order, and only some are read."""

import torch
from torch.testing import assert_close

from models.checkpoint import Spec
from models.learner import Support
from tests.models.learners import IN_CONTEXT, fresh

SPEC = Spec("tables-in-context", "identity", IN_CONTEXT)
ROWS = torch.randn(12, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
QUERY = torch.randn(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.arange(12) % 3


def _answers(learner, rows, query):
    return learner.predict(learner.adapt(Support(rows, LABELS, torch.ones(12, dtype=torch.bool), 3)), query)


def test_the_order_of_the_columns_changes_nothing():
    learner, order = fresh(SPEC, torch.float64), torch.tensor([3, 5, 0, 1, 4, 2])
    assert_close(_answers(learner, ROWS[:, order], QUERY[:, order]), _answers(learner, ROWS, QUERY))


def test_units_of_a_column_change_nothing():
    learner = fresh(SPEC, torch.float64)
    assert_close(_answers(learner, 5 * ROWS + 3, 5 * QUERY + 3), _answers(learner, ROWS, QUERY), rtol=1e-6, atol=1e-6)


def test_a_constant_column_changes_nothing():
    learner = fresh(SPEC, torch.float64)
    more, asked = (torch.cat([each, torch.full((len(each), 1), 7.0)], 1) for each in (ROWS, QUERY))
    assert_close(_answers(learner, more, asked), _answers(learner, ROWS, QUERY))


def test_the_columns_that_correlate_most_with_the_labels_are_read():
    learner = fresh(Spec("tables-in-context", "identity", IN_CONTEXT | {"columns": 2}), torch.float64)
    rows = ROWS.clone()
    rows[:, 4], rows[:, 1] = (LABELS == 0) + 0.01 * ROWS[:, 4], (LABELS == 2) + 0.01 * ROWS[:, 1]
    state = learner.adapt(Support(rows, LABELS, torch.ones(12, dtype=torch.bool), 3))
    assert set(state["chosen"].tolist()) == {1, 4}


def test_a_missing_number_has_an_answer_and_matters():
    learner, gaps, asked = fresh(SPEC, torch.float64), ROWS.clone(), QUERY.clone()
    gaps[::3, 0], asked[:2, 0] = torch.nan, torch.nan
    answers = _answers(learner, gaps, asked)
    assert answers.isfinite().all()
    assert not torch.allclose(answers, _answers(learner, ROWS, QUERY))
