"""Texts and photos over HTTP, beside what else one can write: python -m benchmarks.encoder_serving [SERVICE ...]

Every service is driven alone, by a closed loop of clients. `per_cpu` is requests per second of the processor time of
all its processes, which other work on the machine disturbs least. The encoder alone, in a loop in one thread, is the
limit. Each figure is written to docs/performance.json when it is known, and a service that fails costs no others.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import NamedTuple

import httpx
import torch

from benchmarks.driving import console, drive, left_out_if_it_fails, stage
from benchmarks.encoder_bodies import SHOTS, WAYS, adapt_body, inputs, predict_body
from benchmarks.load import Load
from benchmarks.peers.encoders import PHOTOS, TEXTS, photos
from benchmarks.results import keep, read
from benchmarks.services import JSON, Running, Service, running
from benchmarks.serving import summary
from models import checkpoint
from models.functional import encode_many
from service.settings import ZOO

CLIENTS = (1, 16, 64)
CALLS = (("predict", 1), ("predict", 15), ("adapt", WAYS * SHOTS))
"""Each call, and the inputs of a request."""
SECONDS = {TEXTS: 4.0, PHOTOS: 8.0}
LONGER = 3
"""Many requests of many inputs take longer, and Handful runs those of all clients at the same speed."""
BATCHED = 16
"""Requests whose inputs the limit encodes together, at most."""
UNCACHED = {"SERVE": "texts,photos", "DEFAULT_MODEL": TEXTS, "FEATURE_CACHE_BYTES": "0"}
"""Settings of Handful. Clients repeat their requests, so the cache is off."""


class Peer(NamedTuple):
    """A service, and settings for it."""

    service: Service
    settings: dict[str, str]


SERVICES = {
    "handful": Peer(Service("Handful", "service"), UNCACHED | {"PRECISION": "float32"}),
    "handful-bfloat16": Peer(Service("Handful, bfloat16", "service"), UNCACHED | {"PRECISION": "bfloat16"}),
    "by-hand": Peer(Service("by hand", "benchmarks.peers.encoders_by_hand"), {}),
    "lit": Peer(Service("LitServe", "benchmarks.peers.encoders_lit", needs="litserve"), {}),
}
LIMITS = {"limit": "float32", "limit-bfloat16": "bfloat16"}
TITLES = {name: peer.service.title for name, peer in SERVICES.items()}
TITLES |= {"limit": "encoder alone", "limit-bfloat16": "encoder alone, bfloat16"}


class Scene(NamedTuple):
    """One measurement."""

    kind: str
    call: str
    queries: int
    clients: int

    def title(self) -> str:
        """As a key of the results."""
        what = f"{self.call}, {WAYS}-way {SHOTS}-shot" if self.call == "adapt" else f"{self.call}, {self.queries}-query"
        return f"{self.kind} {what}, {self.clients} clients"

    def seconds(self) -> float:
        """How long it is measured."""
        return SECONDS[self.kind] * (LONGER if self.queries > 1 and self.clients > 1 else 1)


def scenes(kinds: list[str]) -> Iterator[Scene]:
    """All scenes of these kinds."""
    for kind, (call, count), clients in product(kinds, CALLS, CLIENTS):
        if kind == TEXTS or count == 1 or clients == 1:  # many photos of many clients take minutes
            yield Scene(kind, call, count, clients)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = (*LIMITS, *SERVICES)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="One of " + ", ".join(known))
    parser.add_argument("--kinds", nargs="*", default=[TEXTS, PHOTOS])
    parser.add_argument("--seconds", type=float, default=1.0, help="Factor of the seconds of each scene.")
    given = parser.parse_args()
    for name in given.services or known:
        console.print(TITLES[name], style="bold")
        with left_out_if_it_fails(name):
            if name in LIMITS:
                measure_limit(name, given.kinds, given.seconds)
            elif find_spec(SERVICES[name].service.needs):
                measure_service(name, given.kinds, given.seconds)


def measure_service(name: str, kinds: list[str], factor: float) -> None:
    """All scenes of a service."""
    peer = SERVICES[name]
    with stage() as given, running(peer.service, ZOO, given.redis_url, **peer.settings) as one:
        for kind in kinds:
            adapt_all(one, kind)
            wait_until_idle(one)
            for scene in scenes([kind]):
                record(scene, name, drive(one, load_of(one, scene, factor * scene.seconds())))


def wait_until_idle(one: Running) -> None:
    """A worker measures its costs for a while after its start. Some services are never idle."""
    for _ in range(60):
        before = one.processor_seconds()
        time.sleep(1)
        if one.processor_seconds() - before < 0.05:
            return


def adapt_all(one: Running, kind: str) -> None:
    """Adapt every client, so that all can predict."""
    with httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=120) as http:
        for client in range(max(CLIENTS)):
            body = adapt_body(kind, client)
            http.post("/adapt", content=body, headers={"content-type": JSON}).raise_for_status()


def load_of(one: Running, scene: Scene, seconds: float) -> Load:
    """The load of a scene."""
    clients = range(scene.clients)
    adapts = scene.call == "adapt"
    bodies = [adapt_body(scene.kind, i) if adapts else predict_body(scene.kind, i, scene.queries) for i in clients]
    return Load(one.port, f"/{scene.call}", JSON, bodies, seconds)


def measure_limit(name: str, kinds: list[str], factor: float) -> None:
    """The encoder alone, on as many inputs at a time as a service that batches 16 requests."""
    torch.set_num_threads(1)
    for kind in kinds:
        learner = checkpoint.load(ZOO / f"{kind}.safetensors")
        for scene in scenes([kind]):
            together = min(scene.clients, BATCHED)
            made = inputs(kind, together * scene.queries, 0)
            ready = made if kind == TEXTS else photos(made)
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=LIMITS[name] == "bfloat16"):
                rate = rate_of(partial(encode_many, learner, ready), factor * SECONDS[kind] / 4)
            record(scene, name, {"per_cpu": together * rate})


def rate_of(run: Callable[[], object], seconds: float) -> float:
    """Calls per second of processor time."""
    run()
    began, until, calls = time.process_time(), time.perf_counter() + seconds, 0
    while calls < 2 or time.perf_counter() < until:
        run()
        calls += 1
    return calls / (time.process_time() - began)


def record(scene: Scene, name: str, figures: dict[str, float]) -> None:
    """Print and write one figure."""
    console.print(f"  {scene.title()}: {figures['per_cpu']:.1f} per processor-second")
    found = read().get("encoders", {})
    found.setdefault(scene.title(), {})[name] = summary([figures])
    keep(encoders=found)


if __name__ == "__main__":
    main()
