"""Ray Serve with its batching on: one replica, jobs of one shape vmapped together."""

import pickle
from pathlib import Path
from typing import Any

import redis
import torch
from fastapi import FastAPI
from ray import serve

from benchmarks.peers import network
from benchmarks.peers.batched import adapt_all, predict_all
from benchmarks.peers.bodies import AdaptBody, PredictBody, answer, arguments, images, labels
from benchmarks.peers.grouping import grouped
from benchmarks.peers.ray_node import run

ingress = FastAPI()


@serve.deployment(max_ongoing_requests=256)
@serve.ingress(ingress)
class Service:
    """Both endpoints."""

    def __init__(self, weights: str, url: str) -> None:
        torch.set_num_threads(1)
        self.networks = dict(zip(network.SPECS, network.load(Path(weights)), strict=True))
        self.store: Any = redis.Redis.from_url(url)

    @ingress.post("/adapt")
    async def adapt(self, body: AdaptBody) -> dict[str, str]:
        """Adapt and store."""
        inputs, targets = images([example.input for example in body.support]), labels(body.support)
        state = await self._adapt((body.model, inputs, targets))
        self.store.set(body.client_id, pickle.dumps((body.model, state)))
        return {"client_id": body.client_id}

    @ingress.post("/predict")
    async def predict(self, body: PredictBody) -> dict[str, object]:
        """Load and answer."""
        model, state = pickle.loads(self.store.get(body.client_id))
        return answer(await self._predict((model, state, images(body.inputs))))

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.005)
    async def _adapt(self, jobs: list[Any]) -> list[Any]:
        def run(model: str, some: list[Any]) -> list[Any]:
            return adapt_all(self.networks[model], model, [job[1] for job in some], [job[2] for job in some])

        return grouped(jobs, lambda job: (job[0], job[1].shape), run)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.005)
    async def _predict(self, jobs: list[Any]) -> list[Any]:
        def run(model: str, some: list[Any]) -> list[Any]:
            return predict_all(self.networks[model], model, [job[1] for job in some], [job[2] for job in some])

        return grouped(jobs, lambda job: (job[0], job[2].shape), run)


if __name__ == "__main__":
    given = arguments()
    application: Any = Service  # the decorator has made a deployment of it
    run(application.bind(str(given.weights), given.redis), given)
