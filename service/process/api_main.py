"""handful api: one process that speaks HTTP. Needs no torch."""

import socket

import uvicorn

from service.api.auth import check_guarded
from service.api.http_protocol import raise_open_file_limit, server_config
from service.app import create_app
from service.cards import Catalogue
from service.ipc.pool import pool_of
from service.process.garbage_collection import freeze_gc
from service.settings import Settings


def run(settings: Settings, fd: int | None) -> None:
    """Serve until asked to stop, on the listening socket `fd` if one is given. Raises UnknownModel, ValueError."""
    if not settings.worker_urls:
        raise ValueError("Set HANDFUL_WORKER_URLS to where the device workers are, or run handful serve.")
    if settings.redis_url is None:
        raise ValueError("Set HANDFUL_REDIS_URL, or run handful serve, which brings a Valkey of its own.")
    if fd is None:  # else whoever opened the socket has looked
        check_guarded(settings)
    catalogue = Catalogue(settings.models)
    models = {name: card.checkpoint for name, card in catalogue.items()}
    secret = settings.worker_secret.get_secret_value()
    pool = pool_of(settings.worker_urls, secret, models, settings.deadline_s)
    app = create_app(settings, settings.redis_url, catalogue, pool)
    raise_open_file_limit()
    server = uvicorn.Server(server_config(app, settings, host=settings.host, port=settings.port))
    freeze_gc()
    server.run(sockets=None if fd is None else [socket.socket(fileno=fd)])
