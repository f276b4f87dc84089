"""Call the service with KServe's client. Prints what it answers as JSON: python kserve_client.py URL PNG"""

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig


async def main(url: str, png: bytes) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60, retries=0))
    ready = [await client.is_server_live(url), await client.is_server_ready(url)]
    ready.append(await client.is_model_ready(url, "glyphs"))
    points = np.array([[-1.0], [1.0]], np.float32)
    values = [await value(client, url, points, binary=binary) for binary in (False, True)]
    asked = InferRequest("glyphs", [tensor(np.array([png], object), "BYTES", True)], parameters=ALICE)
    answer = await client.infer(url, asked, model_name="glyphs")
    print(json.dumps({"ready": ready, "values": values, "label": answer.outputs[0].as_numpy().tolist()}))


async def value(client: InferenceRESTClient, url: str, points: np.ndarray, *, binary: bool) -> list:
    asked = InferRequest("sinusoid", [tensor(points, "FP32", binary)], request_id="42", parameters={"client_id": "bob"})
    answer = await client.infer(url, asked, model_name="sinusoid")
    assert answer.id == "42"
    found: list = answer.outputs[0].as_numpy().ravel().tolist()
    return found


def tensor(array: np.ndarray, datatype: str, binary: bool) -> InferInput:
    sent = InferInput("input", list(array.shape), datatype)
    sent.set_data_from_numpy(array, binary_data=binary)
    return sent


ALICE = {"client_id": "alice"}

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
