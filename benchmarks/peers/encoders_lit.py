"""The same on LitServe with its batching on: the inputs of a batch of requests are encoded together."""

import pickle
from itertools import islice
from typing import Any

import litserve as ls
import redis

from benchmarks.peers.bodies import arguments
from benchmarks.peers.encoders import AdaptBody, Encoders, Features, PredictBody, answer, fit
from benchmarks.peers.grouping import grouped


class Api(ls.LitAPI):
    """The common parts of both."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(max_batch_size=16, batch_timeout=0.005, api_path=path)
        self._url = url

    def setup(self, device: str) -> None:
        """In the worker's process."""
        self.encode = Encoders()
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

    def features(self, jobs: list[tuple[str, list[str]]]) -> list[Features]:
        """The features of each job's inputs, those of one model in one pass."""

        def run(model: str, some: list[Any]) -> list[Features]:
            encoded = iter(self.encode(model, [each for _, inputs in some for each in inputs]))
            return [list(islice(encoded, len(inputs))) for _, inputs in some]  # type: ignore[misc]

        return grouped(jobs, lambda job: (job[0], None), run)


class Adapt(Api):
    """POST /adapt."""

    def decode_request(self, request: dict[str, Any]) -> AdaptBody:
        """A body."""
        return AdaptBody.model_validate(request)

    def predict(self, jobs: Any) -> list[dict[str, str]]:
        """Encode together, then fit and store each."""
        encoded = self.features([(job.model, [one.input for one in job.support]) for job in jobs])
        for job, features in zip(jobs, encoded, strict=True):
            head = fit(features, [one.label for one in job.support])
            self.store.set(job.client_id, pickle.dumps((job.model, head)))
        return [{"client_id": job.client_id} for job in jobs]


class Predict(Api):
    """POST /predict."""

    def decode_request(self, request: dict[str, Any]) -> PredictBody:
        """A body."""
        return PredictBody.model_validate(request)

    def predict(self, jobs: Any) -> list[dict[str, Any]]:
        """Encode together, then answer each."""
        loaded = [pickle.loads(blob) for blob in self.store.mget([job.client_id for job in jobs])]
        encoded = self.features([(model, job.inputs) for (model, _), job in zip(loaded, jobs, strict=True)])
        return [answer(head, features) for (_, head), features in zip(loaded, encoded, strict=True)]


if __name__ == "__main__":
    given = arguments()
    apis = [Adapt(given.redis, "/adapt"), Predict(given.redis, "/predict")]
    server = ls.LitServer(apis, accelerator="cpu", workers_per_device=1)
    server.run(port=given.port, num_api_servers=1, generate_client_file=False, log_level="error")
