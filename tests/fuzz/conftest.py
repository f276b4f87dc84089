"""A service without keys and one with, which every fuzz test asks, and a client that it knows."""

from collections.abc import Iterator

import httpx
import pytest

from service.settings import Settings
from tests.fuzz.judge import HASHES, KEY
from tests.service import conftest
from tests.service.drawings import letters
from tests.service.serving import serving

zoo, worker, nodes, redis_url, redis = conftest.zoo, conftest.worker, conftest.nodes, conftest.redis_url, conftest.redis


@pytest.fixture(scope="module", params=["no keys", "keys"])
def service(request, zoo, worker, redis_url) -> Iterator[httpx.Client]:
    """Limits are low, so that examples reach them."""
    keys = HASHES if request.param == "keys" else {}
    settings = Settings(
        models=zoo, redis_url=redis_url, api_keys=keys, max_body_bytes=2**20, max_examples=20, max_queries=10
    )
    headers = {"x-api-key": KEY} if keys else {}
    with serving(settings, worker, headers=headers) as api:
        api.post("/adapt", json={"client_id": "alice", "support": letters("LV")}).raise_for_status()
        yield api
