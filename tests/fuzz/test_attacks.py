"""Memory after attacks. benchmarks/hostile.py measures the same attacks at full size, and the event loop."""

import psutil
import pytest

from service.settings import Settings
from tests.fuzz.attacks import ATTACKS, MB, unfinished_bodies
from tests.service.redises import until
from tests.service.serving import serving
from tests.service.sockets import address_of

BUDGET = 64 * MB
SLACK = 100 * MB


@pytest.fixture(scope="module")
def api(zoo, worker, redis_url):
    settings = Settings(models=zoo, redis_url=redis_url, max_body_bytes_in_flight=BUDGET)
    with serving(settings, worker) as api:
        api.get("/readyz").raise_for_status()
        yield api


def memory() -> int:
    return psutil.Process().memory_info().rss


@pytest.mark.parametrize("name", [name for name in ATTACKS if not name.startswith("30")])
def test_memory_comes_back_after_an_attack(api, name):
    attack = ATTACKS[name]()
    attack(address_of(api))  # once, so that what the attacker itself keeps is there before
    before = memory()
    status = attack(address_of(api))
    assert status is None or 400 <= status < 500
    until(lambda: memory() < before + SLACK)
    assert api.get("/healthz").is_success


def test_unfinished_bodies_hold_no_more_than_their_budget(api):
    size, before, held = 16 * MB, memory(), []
    unfinished_bodies(20, size, lambda: held.append(memory()))(address_of(api))
    assert held[0] < before + BUDGET + SLACK < before + 20 * size
    until(lambda: memory() < before + SLACK)
