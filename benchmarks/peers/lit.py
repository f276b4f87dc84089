"""LitServe with its batching on: an API for adapts and one for predicts, jobs of one shape vmapped together."""

import pickle
from pathlib import Path
from typing import Any

import litserve as ls
import redis
import torch
from torch import Tensor

from benchmarks.peers import network
from benchmarks.peers.batched import adapt_all, predict_all
from benchmarks.peers.bodies import AdaptBody, PredictBody, answer, arguments, images, labels
from benchmarks.peers.grouping import grouped


class Api(ls.LitAPI):
    """The common parts of both."""

    def __init__(self, weights: Path, url: str, path: str) -> None:
        super().__init__(max_batch_size=16, batch_timeout=0.005, api_path=path)
        self._weights, self._url = weights, url

    def setup(self, device: str) -> None:
        """In the worker's process."""
        torch.set_num_threads(1)
        self.networks = dict(zip(network.SPECS, network.load(self._weights), strict=True))
        self.store: Any = redis.Redis.from_url(self._url)

    def batch(self, inputs: list[Any]) -> list[Any]:
        """Jobs as they are."""
        return list(inputs)

    def unbatch(self, output: list[Any]) -> list[Any]:
        """Answers as they are."""
        return list(output)

    def encode_response(self, output: Any) -> Any:
        """JSON."""
        return output


class Adapt(Api):
    """POST /adapt."""

    def decode_request(self, request: dict[str, Any]) -> tuple[str, str, Tensor, Tensor]:
        """Arrays."""
        body = AdaptBody.model_validate(request)
        return body.client_id, body.model, images([example.input for example in body.support]), labels(body.support)

    def predict(self, jobs: Any) -> list[dict[str, str]]:
        """Adapt and store."""

        def run(model: str, some: list[Any]) -> list[Any]:
            return adapt_all(self.networks[model], model, [job[2] for job in some], [job[3] for job in some])

        states = grouped(jobs, lambda job: (job[1], job[2].shape), run)
        for job, state in zip(jobs, states, strict=True):
            self.store.set(job[0], pickle.dumps((job[1], state)))
        return [{"client_id": job[0]} for job in jobs]


class Predict(Api):
    """POST /predict."""

    def decode_request(self, request: dict[str, Any]) -> tuple[str, Tensor]:
        """Arrays."""
        body = PredictBody.model_validate(request)
        return body.client_id, images(body.inputs)

    def predict(self, jobs: Any) -> list[dict[str, object]]:
        """Load and answer."""
        loaded = [
            (*pickle.loads(blob), job[1]) for job, blob in zip(jobs, self.store.mget([j[0] for j in jobs]), strict=True)
        ]

        def run(model: str, some: list[Any]) -> list[Any]:
            return predict_all(self.networks[model], model, [job[1] for job in some], [job[2] for job in some])

        return [answer(one) for one in grouped(loaded, lambda job: (job[0], job[2].shape), run)]


if __name__ == "__main__":
    given = arguments()
    apis = [Adapt(given.weights, given.redis, "/adapt"), Predict(given.weights, given.redis, "/predict")]
    server = ls.LitServer(apis, accelerator="cpu", workers_per_device=1)
    server.run(port=given.port, num_api_servers=1, generate_client_file=False, log_level="error")
