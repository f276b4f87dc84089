"""The services that the benchmarks compare: how to start them, and their requests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil
from safetensors.numpy import save

from benchmarks.peers.network import SPECS, save_weights
from models import checkpoint
from service.cards import Card

START_S = 600
SETTLE_S = 0.2
WAYS = 5
JSON, SAFETENSORS = "application/json", "application/safetensors"


class Service(NamedTuple):
    """How to start a service, and the format of its requests. `variables` are for its environment."""

    title: str
    module: str
    content_type: str = JSON
    needs: str = "fastapi"
    variables: Mapping[str, str] = MappingProxyType({})


SERVICES = {
    "handful": Service("Handful", "service"),
    "handful-bytes": Service("Handful, safetensors bodies", "service", SAFETENSORS),
    "handwritten": Service("FastAPI and autograd by hand", "benchmarks.peers.handwritten"),
    "lit": Service("LitServe, batching", "benchmarks.peers.lit", needs="litserve"),
    "ray": Service("Ray Serve, batching", "benchmarks.peers.ray_serve", needs="ray"),
    "bare": Service("FastAPI that only parses", "benchmarks.peers.bare"),
}


class Running(NamedTuple):
    """A running service."""

    port: int
    process: psutil.Process

    def processor_seconds(self) -> float:
        """Processor time of all its processes so far, including ended ones that were waited for."""
        family = [self.process, *self.process.children(recursive=True)]
        times = [one.cpu_times() for one in family if one.is_running()]
        return float(sum(t.user + t.system for t in times))

    def settle(self) -> None:
        """Wait until it is idle, so that the work of one scene does not count in the next."""
        for _ in range(500):
            before = self.processor_seconds()
            time.sleep(SETTLE_S)
            if self.processor_seconds() - before < 0.3 * SETTLE_S:
                return


@contextmanager
def running(service: Service, weights: Path, redis_url: str, **extra: str) -> Iterator[Running]:
    """Run the service on a free port. `extra` settings are for Handful."""
    port = _free_port()
    if service.module == "service":
        command, settings = (
            ["serve"],
            {"PORT": port, "MODELS": weights, "REDIS_URL": redis_url, "DEFAULT_MODEL": "maml"} | extra,
        )
    else:
        command, settings = ["--port", str(port), "--redis", redis_url, "--weights", str(weights)], {}
    environment = os.environ | {f"HANDFUL_{name}": str(value) for name, value in settings.items()}
    environment |= {"OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_worker_niceness": "0"}
    environment |= service.variables
    with subprocess.Popen(
        [sys.executable, "-m", service.module, *command], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        family = psutil.Process(process.pid)
        try:
            _wait_for(port, process, "/readyz" if service.module == "service" else "/adapt")
            yield Running(port, family)
        finally:
            left = family.children(recursive=True)
            process.terminate()
            _, alive = psutil.wait_procs([family, *left], timeout=10)
            for one in alive:
                one.kill()


def write_models(folder: Path) -> None:
    """The networks of the benchmark as a folder that Handful serves."""
    save_weights(folder)
    for name, spec in SPECS.items():
        learner = checkpoint.build(spec)
        card = Card(
            name=name, title=name, algorithm=learner.algorithm, paper=learner.paper, kind=learner.kind.value,
            input={"type": "drawing", "size": 28}, max_ways=learner.max_ways, training={},
        )  # fmt: skip
        card.write(folder / f"{name}.json")


def drawings(count: int, seed: int) -> list[list[list[int]]]:
    """Strokes on an empty sheet, 28 x 28, 0 to 255."""
    rng = np.random.default_rng(seed)
    sheets = np.zeros((count, 28, 28), dtype=np.uint8)
    sheets[:, 4:24, 4:24] = 255 * (rng.random((count, 20, 20)) > 0.8)
    return sheets.tolist()


def adapt_body(service: Service, model: str, client: int, shots: int) -> bytes:
    """One client's support set."""
    inputs, labels = drawings(WAYS * shots, client), [i % WAYS for i in range(WAYS * shots)]
    if service.content_type == SAFETENSORS:
        about = {"client_id": f"{model}-{client}", "model": model, "labels": json.dumps(labels)}
        return save({"inputs": np.array(inputs, dtype=np.uint8)}, about)
    support = [{"input": one, "label": label} for one, label in zip(inputs, labels, strict=True)]
    return _json({"client_id": f"{model}-{client}", "model": model, "support": support})


def predict_body(service: Service, model: str, client: int, queries: int) -> bytes:
    """One client's queries."""
    inputs = drawings(queries, client + 10_000)
    if service.content_type == SAFETENSORS:
        return save({"inputs": np.array(inputs, dtype=np.uint8)}, {"client_id": f"{model}-{client}"})
    return _json({"client_id": f"{model}-{client}", "inputs": inputs})


def probabilities(answer: dict[str, Any]) -> np.ndarray:
    """The probabilities (q, ways) of an answer."""
    rows = [one["probabilities"] for one in answer["predictions"]]
    return np.array([list(row.values()) if isinstance(row, dict) else row for row in rows])


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _wait_for(port: int, process: subprocess.Popen[bytes], path: str) -> None:
    """Wait for status 200, or for 405, which a peer answers to GET of a POST route."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} has ended with status {process.returncode}")
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10).status_code in (200, 405):
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{process.args!r} does not answer after {START_S} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
