"""What a user writes today: FastAPI, an encoder, scikit-learn's logistic regression per client, pickled into Redis.

Two uvicorn processes, a torch thread each. Requests run in threads, one at a time in each process.
"""

import os
import pickle
import threading
from typing import Any

import redis
import uvicorn
from fastapi import FastAPI

from benchmarks.peers.bodies import arguments
from benchmarks.peers.encoders import AdaptBody, Encoders, PredictBody, answer, fit


def app() -> FastAPI:
    """The service, in each process."""
    encode, service = Encoders(), FastAPI()
    store: Any = redis.Redis.from_url(os.environ["REDIS"])
    lock = threading.Lock()  # concurrent forward passes are slower than one after the other

    @service.post("/adapt")
    def adapt(body: AdaptBody) -> dict[str, str]:
        with lock:
            head = fit(encode(body.model, [one.input for one in body.support]), [one.label for one in body.support])
        store.set(body.client_id, pickle.dumps((body.model, head)))
        return {"client_id": body.client_id}

    @service.post("/predict")
    def predict(body: PredictBody) -> dict[str, Any]:
        model, head = pickle.loads(store.get(body.client_id))
        with lock:
            return answer(head, encode(model, body.inputs))

    return service


if __name__ == "__main__":
    given = arguments()
    os.environ["REDIS"] = given.redis
    uvicorn.run(
        "benchmarks.peers.encoders_by_hand:app", factory=True, port=given.port, workers=2, access_log=False,
        log_level="error",
    )  # fmt: skip
