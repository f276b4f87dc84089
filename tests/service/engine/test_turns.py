"""A large job pauses while a tenant that has used less has a job, and only then."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from service.engine.turns import BeforeEach, Turns


@pytest.fixture
def turns() -> Iterator[Turns]:
    turns = Turns()
    turns.enter("large", large=True)
    yield turns
    turns.close()


def waits(turns: Turns, meanwhile: Callable[[], None]) -> bool:
    """Whether the large job waits until `meanwhile` has run."""
    passed = threading.Event()
    waiting = threading.Thread(target=lambda: (turns.wait("large", stop=lambda: False), passed.set()))
    waiting.start()
    waited = not passed.wait(0.1)
    meanwhile()
    assert passed.wait(60)
    return waited


def test_it_goes_on_when_nobody_else_has_a_small_job(turns):
    turns.enter("large")
    turns.enter("other", large=True)
    assert not waits(turns, lambda: None)


def test_it_pauses_for_the_small_job_of_another_tenant(turns):
    turns.charge("large", 1.0)
    turns.enter("other")
    assert waits(turns, lambda: turns.leave("other"))


def test_it_goes_on_when_the_others_have_used_more(turns):
    turns.charge("large", 1.0)
    turns.enter("flood")
    assert waits(turns, lambda: turns.charge("flood", 2.0))


def test_it_pauses_for_a_large_job_that_has_used_much_less(turns):
    turns.enter("other", large=True)
    turns.charge("large", 1.0)
    assert waits(turns, lambda: turns.charge("other", 0.99))


def test_a_tenant_that_was_away_starts_level(turns):
    turns.charge("large", 100.0)
    turns.enter("flood")
    turns.charge("flood", 100.5)
    turns.enter("new")
    assert waits(turns, lambda: turns.charge("new", 0.6))


def test_a_closed_queue_and_a_caller_that_leaves_end_the_pause(turns):
    turns.enter("other")
    turns.wait("large", stop=lambda: True)
    assert waits(turns, turns.close)


def test_before_each_operation_of_torch_also_in_gradients_and_batches():
    seen = []
    with BeforeEach(lambda: seen.append(1)):
        torch.func.vmap(torch.func.grad(lambda x: (x * x).sum()))(torch.ones(2, 3))
    assert len(seen) > 3
    count = len(seen)
    torch.ones(2) + 1
    assert len(seen) == count
