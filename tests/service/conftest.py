"""Real servers for the tests: models with fresh weights, a worker, a Valkey, and the service over HTTP."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import torch
from redis import Redis, RedisCluster

from service.engine.worker import Worker
from service.settings import Settings
from service.store.store import Store
from tests.service.redises import Node, cluster, seen, url_of_cluster
from tests.service.serving import serving, url_of, valkey, working
from tests.service.zoo import make_zoo

torch.set_num_threads(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="session")
def worker(zoo: Path) -> Iterator[Worker]:
    with working(Settings(models=zoo)) as worker:
        yield worker


@pytest.fixture(scope="session")
def nodes() -> Iterator[list[Node]]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of one server; in modules with the mark EITHER also of a Cluster."""
    if getattr(request, "param", "server") == "cluster":
        yield url_of_cluster(request.getfixturevalue("nodes"))
    else:
        with valkey() as server:
            yield url_of(server)


@pytest.fixture(scope="module")
def redis(redis_url: str) -> Iterator[Redis | RedisCluster]:
    """What the service has written, seen from outside."""
    with seen(redis_url) as client:
        yield client


@pytest.fixture(scope="module")
def settings(zoo: Path, redis_url: str) -> Settings:
    return Settings(models=zoo, redis_url=redis_url)


@pytest.fixture(scope="module")
def served(settings: Settings, worker: Worker) -> Iterator[httpx.Client]:
    with serving(settings, worker) as client:
        yield client


@pytest.fixture
def api(served: httpx.Client, redis: Redis) -> httpx.Client:
    """The service, with no client adapted."""
    redis.flushall()
    return served


@pytest.fixture
async def store(redis_url: str, redis: Redis) -> AsyncIterator[Store]:
    """An empty store."""
    redis.flushall()
    store = Store(redis_url, timeout_s=20, state_ttl_s=1000)
    yield store
    await store.close()
