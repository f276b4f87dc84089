"""The container health check of a worker."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from service.ipc import healthcheck
from service.ipc.server import WorkerServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def socket(tmp_path) -> Path:
    return tmp_path / "worker"


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch) -> None:
    monkeypatch.setattr(healthcheck, "TIMEOUT_S", 0.3)


def server(alive: bool = True) -> WorkerServer:
    return WorkerServer(SimpleNamespace(alive=lambda: alive), {"glyphs": "0123"})


async def test_a_worker_that_has_warmed_up_is_ready(socket):
    worker = server()
    async with await worker.listen(socket):
        worker.set_ready()
        await healthcheck.wait_until_ready(socket)


async def test_a_worker_that_warms_up_is_not_ready(socket):
    async with await server().listen(socket):
        with pytest.raises(TimeoutError):
            await healthcheck.wait_until_ready(socket)


async def test_a_worker_with_an_ended_device_is_not_ready(socket):
    worker = server(alive=False)
    async with await worker.listen(socket):
        worker.set_ready()
        with pytest.raises(TimeoutError):
            await healthcheck.wait_until_ready(socket)


def test_the_command_names_the_socket(socket, monkeypatch):
    monkeypatch.setenv("HANDFUL_WORKER_SOCKET", str(socket))
    with pytest.raises(SystemExit, match=str(socket)):
        healthcheck.main()
