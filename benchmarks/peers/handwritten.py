"""FastAPI, an inner loop in the request, the adapted weights pickled into Redis: two uvicorn processes, a torch thread
each, which is faster than one process of two threads."""

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import redis
import torch
import uvicorn
from fastapi import FastAPI

from benchmarks.peers import network
from benchmarks.peers.bodies import AdaptBody, PredictBody, answer, arguments, images, labels


def app() -> FastAPI:
    """The service, in each process."""
    torch.set_num_threads(1)
    maml, encoder = network.load(Path(os.environ["WEIGHTS"]))
    store: Any = redis.Redis.from_url(os.environ["REDIS"])
    lock = threading.Lock()  # functional_call swaps weights in place: without it, concurrent requests fail
    service = FastAPI()

    @service.post("/adapt")
    def adapt(body: AdaptBody) -> dict[str, str]:
        inputs, targets = images([example.input for example in body.support]), labels(body.support)
        with lock:
            if body.model == network.MAML:
                state = network.adapt_maml(maml, inputs, targets)
            else:
                with torch.no_grad():
                    state = network.adapt_protonet(encoder, inputs, targets)
        store.set(body.client_id, pickle.dumps((body.model, state)))
        return {"client_id": body.client_id}

    @service.post("/predict")
    def predict(body: PredictBody) -> dict[str, object]:
        model, state = pickle.loads(store.get(body.client_id))
        with lock, torch.no_grad():
            if model == network.MAML:
                return answer(network.predict_maml(maml, state, images(body.inputs)))
            return answer(network.predict_protonet(encoder, state, images(body.inputs)))

    return service


if __name__ == "__main__":
    given = arguments()
    os.environ |= {"WEIGHTS": str(given.weights), "REDIS": given.redis}
    uvicorn.run(
        "benchmarks.peers.handwritten:app",
        factory=True,
        port=given.port,
        workers=2,
        access_log=False,
        log_level="error",
    )
