"""Handful on Ray Serve: `serve run deploy.ray_serve:app`. See docs/ray-serve.md."""

from fastapi import FastAPI
from ray import serve

from service.app import create_app
from service.cards import Catalogue
from service.process.own_worker import own_worker
from service.settings import Settings

MAX_ONGOING_REQUESTS = 1024
"""Requests that a replica works on at a time. The queue of its worker answers 429 when it is full."""


def build() -> FastAPI:
    """The service in one replica. Ray calls it in the replica's process, whose environment has the settings.

    Raises:
        ValueError: HANDFUL_REDIS_URL is not set. Replicas share clients only through a Redis that all of them reach.
    """
    settings = Settings()
    if settings.redis_url is None:
        raise ValueError("Set HANDFUL_REDIS_URL: the replicas share their clients through Redis.")
    catalogue = Catalogue(settings.models, settings.serve)
    return create_app(settings, settings.redis_url, catalogue, own_worker(settings))


def deployment(settings: Settings) -> serve.Application:
    """An application of `settings.replicas` replicas, each with a GPU if `settings.device` is one."""
    gpus = 1 if settings.device.startswith("cuda") else 0
    options = serve.deployment(
        name="Handful",
        num_replicas=settings.replicas,
        max_ongoing_requests=MAX_ONGOING_REQUESTS,
        graceful_shutdown_timeout_s=settings.deadline_s + 5,
        ray_actor_options={"num_gpus": gpus},
    )
    return options(serve.ingress(build)()).bind()


app = deployment(Settings())
