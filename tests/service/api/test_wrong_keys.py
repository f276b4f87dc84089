"""Addresses that send unknown API keys are slowed down, and only they."""

import pytest

from service.api.wrong_keys import MOST, PAUSE_S, WrongKeys
from service.errors import TooManyWrongKeys


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def counter(burst: int) -> tuple[WrongKeys, Clock]:
    clock = Clock()
    return WrongKeys(burst, clock), clock


def test_a_burst_is_allowed_and_then_one_key_in_each_pause():
    wrong, clock = counter(3)
    for _ in range(3):
        wrong.count("192.0.2.1")
    with pytest.raises(TooManyWrongKeys) as refusal:
        wrong.count("192.0.2.1")
    assert refusal.value.retry_after_s == PAUSE_S
    clock.now += PAUSE_S
    wrong.count("192.0.2.1")
    with pytest.raises(TooManyWrongKeys):
        wrong.count("192.0.2.1")


def test_refused_keys_do_not_lengthen_the_wait():
    wrong, clock = counter(1)
    wrong.count("192.0.2.1")
    for _ in range(100):
        with pytest.raises(TooManyWrongKeys):
            wrong.count("192.0.2.1")
    clock.now += PAUSE_S
    wrong.count("192.0.2.1")


def test_addresses_are_counted_apart_and_ipv6_by_its_network():
    wrong, _ = counter(1)
    wrong.count("192.0.2.1")
    wrong.count("192.0.2.2")
    wrong.count("2001:db8::1")
    wrong.count("2001:db8:0:1::1")
    with pytest.raises(TooManyWrongKeys):
        wrong.count("2001:db8::2")


def test_a_bounded_number_of_addresses_is_remembered():
    wrong, _ = counter(1)
    for number in range(MOST + 10):
        wrong.count(f"host-{number}")
    assert len(wrong._free_at) == MOST
    wrong.count("host-0")
