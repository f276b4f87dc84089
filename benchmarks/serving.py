"""Handful and its peers over HTTP, side by side: make bench, or python -m benchmarks.serving [SERVICE ...]

In each of several rounds, every service is started and driven alone, by a closed loop of clients in another process.
Writes docs/performance.json. `per_cpu` is requests per second of the service's own processor time.
"""

import argparse
import math
import os
import platform
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple

import httpx
import numpy as np

from benchmarks.driving import console, drive, left_out_if_it_fails, stage
from benchmarks.load import Load
from benchmarks.peers.network import SPECS
from benchmarks.results import keep
from benchmarks.services import SERVICES, Running, Service, adapt_body, predict_body, probabilities, running

CLIENTS = (1, 16, 64)
SIZES = {"adapt": (1, 5), "predict": (1, 15)}
"""Shots of an adapt, 5-way; queries of a predict."""
TOLERANCE = 1e-3


class Scene(NamedTuple):
    """One measurement: a call of a size, with a number of clients."""

    call: str
    model: str
    size: int
    clients: int

    def title(self) -> str:
        """As a key of the results."""
        unit = "shot" if self.call == "adapt" else "query"
        return f"{self.model} {self.call}, {self.size}-{unit}, {self.clients} clients"


def scenes() -> Iterator[Scene]:
    """All scenes."""
    for model in SPECS:
        for call, sizes in SIZES.items():
            for size in sizes:
                for clients in CLIENTS:
                    yield Scene(call, model, size, clients)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="One of " + ", ".join(SERVICES))
    parser.add_argument("--seconds", type=float, default=2.0, help="Seconds of each scene.")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    names = given.services or [name for name, service in SERVICES.items() if find_spec(service.needs)]
    measured: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    answers: dict[str, np.ndarray] = {}
    with stage() as given_to_all:
        for number in range(given.rounds):
            for name in names:
                console.print(f"round {number + 1}: {SERVICES[name].title}", style="bold")
                with left_out_if_it_fails(name), running(SERVICES[name], *given_to_all) as one:
                    answers[name] = first_answers(SERVICES[name], one)
                    for scene in scenes():
                        figures = drive(one, load_of(SERVICES[name], one, scene, given.seconds))
                        measured[scene.title()][name].append(figures)
                        console.print(f"  {scene.title()}: {figures['rate']:.0f}/s, p50 {figures['p50_ms']:.1f} ms")
                keep(machine=machine(), scenes=figures_of(measured))
    check(answers)


def figures_of(measured: Mapping[str, Mapping[str, list[dict[str, float]]]]) -> dict[str, Any]:
    """The figures of each scene by service, over the rounds."""
    return {scene: {name: summary(rounds) for name, rounds in by.items()} for scene, by in measured.items()}


def first_answers(service: Service, one: Running) -> np.ndarray:
    """Adapt all clients and answer a few queries, to check that all services give the same answers."""
    found = []
    with httpx.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=120) as http:
        headers = {"content-type": service.content_type}
        for model in SPECS:
            for client in range(max(CLIENTS)):
                http.post("/adapt", content=adapt_body(service, model, client, 1), headers=headers).raise_for_status()
            answer = http.post("/predict", content=predict_body(service, model, 0, 15), headers=headers)
            found.append(probabilities(answer.raise_for_status().json()))
    return np.concatenate(found)


def check(answers: dict[str, np.ndarray]) -> None:
    """Check that all services give the same answers, except the one that only parses."""
    real = {name: values for name, values in answers.items() if name != "bare"}
    expected = next(iter(real.values()))
    for name, values in real.items():
        apart = float(np.abs(values - expected).max())
        if apart > TOLERANCE:
            raise ValueError(f"{name} gives other answers: a probability differs by {apart:.4f}")
        console.print(f"{SERVICES[name].title}: probabilities within {apart:.1e} of the first")


def load_of(service: Service, one: Running, scene: Scene, seconds: float, first: int = 0) -> Load:
    """The load of a scene. Its clients are numbered from `first`."""
    body = adapt_body if scene.call == "adapt" else predict_body
    bodies = [body(service, scene.model, client, scene.size) for client in range(first, first + scene.clients)]
    return Load(one.port, f"/{scene.call}", service.content_type, bodies, seconds)


def machine() -> dict[str, str | int | None]:
    """The machine and the versions behind the figures."""
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "torch": version("torch")}


def summary(rounds: list[dict[str, float]]) -> dict[str, float | None]:
    """The median of each figure over the rounds; None for the latency of a scene without answers."""
    medians = {name: median(each[name] for each in rounds) for name in rounds[0]}
    return {name: round(value, 2) if math.isfinite(value) else None for name, value in medians.items()}


if __name__ == "__main__":
    main()
