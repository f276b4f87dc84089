"""Handful on Ray Serve: `serve run deploy.ray_serve:app`. See docs/ray-serve.md."""

from fastapi import FastAPI
from ray import serve

from service.app import create_app
from service.cards import Catalogue
from service.process.own_worker import own_worker
from service.settings import Settings

MAX_ONGOING_REQUESTS = 1024
"""Maximum concurrent requests of a replica. If the queue of its worker is full, they get 429."""


def build() -> FastAPI:
    """Build the service of one replica. Ray calls it in the replica's process. The environment has the settings.

    Raises:
        ValueError: HANDFUL_REDIS_URL is not set. Replicas share clients only through a Redis that all of them reach.
    """
    settings = Settings()
    if settings.redis_url is None:
        raise ValueError("Set HANDFUL_REDIS_URL: the replicas share their clients through Redis.")
    catalogue = Catalogue(settings.models, settings.serve, settings.own_models)
    return create_app(settings, settings.redis_url, catalogue, own_worker(settings))


def deployment(settings: Settings) -> serve.Application:
    """An application of `settings.replicas` replicas. Each has a GPU if `settings.device` is a GPU."""
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
