"""One API process. Needs no torch."""

import socket
import sys

import uvicorn

from service.api.auth import check_guarded
from service.api.http_protocol import raise_open_file_limit, server_config
from service.app import create_app
from service.cards import Catalogue
from service.ipc.client import worker_engine
from service.logs import log_to_stderr
from service.process.garbage_collection import freeze_gc
from service.settings import Settings

SWITCH_S = 0.0005
"""Seconds after which a thread yields to another: a tenth of Python's default, since a request waits several times for
the threads that decode and serialise large requests of others."""


def run(settings: Settings, listening: socket.socket | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: The settings. `redis_url` must be set.
        listening: An open socket to accept connections from. Default: open one after checking the settings.

    Raises:
        UnknownModel: The default model is not served.
        ValueError: A setting is missing.
    """
    log_to_stderr(settings.log_format)
    if settings.redis_url is None:
        raise ValueError("Set HANDFUL_REDIS_URL, or run handful serve, which starts an embedded Valkey.")
    if listening is None:
        check_guarded(settings)
    catalogue = Catalogue(settings.models, settings.serve, settings.own_models)
    models = {name: card.checkpoint for name, card in catalogue.items()}
    engine = worker_engine(settings.worker_socket, models, settings.deadline_s, settings.export_s)
    app = create_app(settings, settings.redis_url, catalogue, engine)
    raise_open_file_limit()
    server = uvicorn.Server(server_config(app, settings, host=settings.host, port=settings.port))
    sys.setswitchinterval(SWITCH_S)
    freeze_gc()
    server.run(sockets=None if listening is None else [listening])
