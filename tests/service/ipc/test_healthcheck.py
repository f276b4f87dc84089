"""A container's healthcheck of the worker: what it takes for a beat."""

from types import SimpleNamespace

import pytest

from service.ipc import healthcheck
from service.ipc.server import WorkerServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(tmp_path) -> str:
    return f"unix://{tmp_path}/worker"


@pytest.fixture(autouse=True)
def protocol_with_timeout(monkeypatch):
    monkeypatch.setattr(healthcheck, "PATIENCE_S", 0.3)


def listener(alive: bool = True) -> WorkerServer:
    return WorkerServer(SimpleNamespace(alive=lambda: alive), {"glyphs": "0123"}, "known")


async def test_a_worker_that_has_warmed_up_is_ready(url):
    worker = listener()
    async with await worker.listen(url):
        worker.set_ready()
        await healthcheck.ready(url, "known")


async def test_one_that_warms_up_is_not(url):
    async with await listener().listen(url):
        with pytest.raises(TimeoutError):
            await healthcheck.ready(url, "known")


async def test_one_whose_device_has_ended_is_not(url):
    worker = listener(alive=False)
    async with await worker.listen(url):
        worker.set_ready()
        with pytest.raises(TimeoutError):
            await healthcheck.ready(url, "known")


async def test_to_a_stranger_nothing_is_said(url):
    worker = listener()
    async with await worker.listen(url):
        worker.set_ready()
        with pytest.raises(TimeoutError):
            await healthcheck.ready(url, "unknown")


def test_the_command_says_where_it_has_looked(url, monkeypatch):
    monkeypatch.setenv("HANDFUL_LISTEN", url)
    with pytest.raises(SystemExit, match=url):
        healthcheck.main()
