"""The ledger of the chaos suite detects losses and wrong answers."""

import numpy as np
import pytest

from tests.chaos.ledger import RIGHT, Ledger
from tests.chaos.truth import Lesson

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


@pytest.fixture
def ledger() -> Ledger:
    """Acknowledged once; a second attempt is in doubt."""
    lessons = [Lesson(["drawing"] * 6, ["drawing"] * 3, PROBABILITIES[:, order]) for order in ([0, 1, 2], [2, 0, 1])]
    ledger = Ledger("alice", "glyphs", lessons)
    assert ledger.acknowledged(ledger.begin(), told(1, 1)) == RIGHT
    ledger.begin()
    return ledger


def labels(attempt: int, client: str = "alice") -> list[str]:
    return [f"{client}/{attempt}/{i}" for i in range(3)]


def told(attempt: int, version: int, client: str = "alice") -> dict:
    return {"client_id": client, "classes": labels(attempt), "version": version}


def answer(attempt: int, version: int, client: str = "alice", off: float = 0.0) -> dict:
    probabilities = PROBABILITIES[:, [2, 0, 1] if attempt % 2 else [0, 1, 2]] + off
    rows = [dict(zip(labels(attempt, client), row, strict=True)) for row in probabilities]
    predictions = [{"label": max(row, key=row.__getitem__), "probabilities": row} for row in rows]
    return {"client_id": "alice", "predictions": predictions, "version": version}


@pytest.mark.parametrize(("attempt", "version"), [(1, 1), (2, 2)])
def test_either_side_of_a_doubt_is_right(ledger, attempt, version):
    assert ledger.predicted(1, answer(attempt, version)) == RIGHT
    assert ledger.shown(1, told(attempt, version)) == RIGHT


def test_an_observed_attempt_that_disappears_is_lost(ledger):
    assert ledger.predicted(1, answer(2, 2)) == RIGHT
    assert ledger.known == 2
    assert ledger.predicted(ledger.known, answer(1, 1)).lost


def test_a_client_that_is_gone_is_lost(ledger):
    assert ledger.missing(ledger.known).lost


def test_a_version_that_goes_back_is_lost(ledger):
    assert ledger.acknowledged(2, told(2, 5)) == RIGHT
    assert ledger.acknowledged(ledger.begin(), told(3, 4)).lost


def test_a_version_that_was_another_is_lost(ledger):
    assert ledger.predicted(1, answer(2, 1)).lost


@pytest.mark.parametrize("given", [answer(1, 1, client="bob"), answer(1, 1, off=0.01), answer(7, 7)])
def test_an_answer_of_another_client_or_with_other_numbers_is_wrong(ledger, given):
    verdict = ledger.predicted(1, given)
    assert verdict.wrong
    assert not verdict.lost


def test_an_adapt_that_was_refused_but_done_is_wrong(ledger):
    ledger.refused(2)
    assert "refused, and yet done" in ledger.predicted(1, answer(2, 2)).wrong


def test_an_attempt_that_has_two_versions_was_done_twice(ledger):
    assert ledger.predicted(1, answer(2, 2)) == RIGHT
    assert "done twice" in ledger.predicted(1, answer(2, 3)).wrong
