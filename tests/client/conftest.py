"""A real service, as the tests of the service have it."""

from collections.abc import Callable, Iterator
from threading import Thread

import httpx
import pytest

from tests.client.scripted import Answering
from tests.service import conftest

zoo, worker, nodes, redis_url, redis = conftest.zoo, conftest.worker, conftest.nodes, conftest.redis_url, conftest.redis
settings, served, api, anyio_backend = conftest.settings, conftest.served, conftest.api, conftest.anyio_backend


@pytest.fixture
def scripted() -> Iterator[Callable[..., Answering]]:
    servers: list[Answering] = []

    def start(*answers: httpx.Response) -> Answering:
        server = Answering(list(answers))
        Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown(), server.server_close()
