"""FastAPI that parses the same bodies and answers at once: the limit of this HTTP stack."""

import uvicorn
from fastapi import FastAPI

from benchmarks.peers.bodies import AdaptBody, PredictBody, arguments

service = FastAPI()


@service.post("/adapt")
async def adapt(body: AdaptBody) -> dict[str, str]:
    """Parsed, and that is all."""
    return {"client_id": body.client_id}


@service.post("/predict")
async def predict(body: PredictBody) -> dict[str, object]:
    """An answer of the usual size."""
    row = {"label": 0, "probabilities": [0.2, 0.2, 0.2, 0.2, 0.2]}
    return {"predictions": [row for _ in body.inputs]}


if __name__ == "__main__":
    uvicorn.run(service, port=arguments().port, access_log=False, log_level="error")
