"""Tenants, and the clients of a tenant, are served in turns, by what their items cost."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.fair_queue import FairQueue

shares = st.tuples(st.sampled_from("AB"), st.sampled_from("xyz"))


def filled(*items: tuple[str, str, float], gone: set[str] | None = None) -> FairQueue[str]:
    """A queue of items named tenant + client + number."""
    queue: FairQueue[str] = FairQueue(lambda item: item in (gone or ()))
    for number, (tenant, client, cost) in enumerate(items):
        queue.push(f"{tenant}{client}{number}", (tenant, client), "group", cost)
    return queue


def emptied(queue: FairQueue[str]) -> list[str]:
    items = []
    while (item := queue.pop()) is not None:
        items.append(item)
    return items


def test_one_client_is_served_in_the_order_of_arrival():
    assert emptied(filled(*[("A", "x", 1.0)] * 4)) == ["Ax0", "Ax1", "Ax2", "Ax3"]


def test_a_tenant_that_floods_takes_turns_with_one_that_comes_later():
    assert emptied(filled(*[("A", "x", 1.0)] * 5, *[("B", "x", 1.0)] * 2))[:4] == ["Ax0", "Bx5", "Ax1", "Bx6"]


def test_many_clients_do_not_give_a_tenant_more():
    queue = filled(*[("A", client, 1.0) for client in "xyz" * 5], *[("B", "x", 1.0)] * 5)
    assert Counter(item[0] for item in emptied(queue)[:10]) == {"A": 5, "B": 5}


def test_clients_of_a_tenant_take_turns():
    assert emptied(filled(*[("A", "x", 1.0)] * 4, ("A", "y", 1.0)))[:3] == ["Ax0", "Ay4", "Ax1"]


def test_turns_are_by_cost():
    served = emptied(filled(*[("A", "x", 4.0)] * 5, *[("B", "x", 1.0)] * 12))[:10]
    assert Counter(item[0] for item in served) == {"A": 2, "B": 8}


def test_a_tenant_that_returns_starts_level_with_the_others():
    queue = filled(*[("A", "x", 1.0)] * 50)
    for _ in range(20):
        queue.pop()
    for number in range(20):
        queue.push(f"B{number}", ("B", "x"), "group", 1.0)
    assert Counter((queue.pop() or "")[0] for _ in range(20)) == {"A": 10, "B": 10}


def test_a_group_can_be_asked_for_and_no_other_item_is_taken():
    queue: FairQueue[str] = FairQueue(lambda item: False)
    for number, group in enumerate("ababa"):
        queue.push(f"{group}{number}", ("A", "x"), group, 1.0)
    assert [queue.pop("b"), queue.pop("b"), queue.pop("b"), queue.pop("c")] == ["b1", "b3", None, None]
    assert emptied(queue) == ["a0", "a2", "a4"]


def test_an_item_that_does_not_fit_stays_first():
    queue = filled(("A", "x", 1.0), ("A", "x", 1.0))
    assert queue.pop(fits=lambda item: False) is None
    assert queue.pop() == "Ax0"


def test_tenants_can_be_left_out():
    queue = filled(("A", "x", 1.0), ("B", "x", 1.0))
    assert [queue.pop(without={"A"}), queue.pop(without={"A"}), queue.pop()] == ["Bx1", None, "Ax0"]


def test_cancelled_items_are_dropped_and_cost_nothing():
    gone = {"Ax0", "Ax1"}
    queue = filled(*[("A", "x", 9.0)] * 2, ("A", "x", 1.0), *[("B", "x", 1.0)] * 2, gone=gone)
    assert emptied(queue) == ["Ax2", "Bx3", "Bx4"]


def test_dropping_all_that_is_gone_makes_room():
    gone: set[str] = set()
    queue = filled(*[("A", "x", 1.0)] * 3, gone=gone)
    gone.add("Ax1")
    queue = filled(*[("A", "x", 1.0)] * 3, gone=gone)
    queue.drop_gone()
    assert len(queue) == 2
    assert emptied(queue) == ["Ax0", "Ax2"]


@given(st.lists(st.tuples(shares, st.floats(0.001, 10)), max_size=40))
def test_every_item_is_served_once_and_each_client_in_order(pushed):
    queue = filled(*[(*share, cost) for share, cost in pushed])
    assert len(queue) == len(pushed)
    served = emptied(queue)
    assert sorted(served) == sorted(f"{tenant}{client}{n}" for n, ((tenant, client), _) in enumerate(pushed))
    for share in {f"{tenant}{client}" for (tenant, client), _ in pushed}:
        numbers = [int(item[2:]) for item in served if item[:2] == share]
        assert numbers == sorted(numbers)
    assert len(queue) == 0


@pytest.mark.parametrize("cost", [0.0, 1.0])
def test_draining_takes_all(cost):
    queue = filled(("A", "x", cost), ("B", "y", cost))
    assert sorted(queue.drain()) == ["Ax0", "By1"]
    assert queue.pop() is None
