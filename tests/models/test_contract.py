"""Every learner obeys the laws of `models.testing.laws`. That it learns is tested in test_learning.py."""

import pytest

from models.learners import LEARNERS
from models.testing.laws import LAWS
from tests.models.learners import TABLE, case_of


def test_every_learner_is_in_the_table():
    assert {spec.learner for spec in TABLE.values()} == set(LEARNERS)


@pytest.mark.parametrize("learner", LEARNERS.values(), ids=LEARNERS.keys())
def test_every_learner_names_its_algorithm_and_its_paper(learner):
    assert learner.algorithm
    assert "arXiv:" in learner.paper


@pytest.mark.parametrize("spec", TABLE.values(), ids=TABLE.keys())
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_every_learner_obeys(law, spec):
    law(case_of(spec))
