"""The costs of a client by model: bytes of its state, and the worker's time for an adapt and a predict.

python -m benchmarks.costs; writes into docs/performance.json. 5-way 1-shot adapts and predicts of one query, or five
points of a wave; alone, and 64 clients at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import numpy as np
from rich.progress import track

from benchmarks.alone import become_worker
from benchmarks.results import keep
from service.arrays import Arrays, SupportSet
from service.cards import Card, Catalogue
from service.engine.worker import Worker
from service.settings import Settings

CLIENTS = 64
SECONDS = 0.5
WAYS = 5

Call = Callable[[int], Awaitable[object]]


class Cost(NamedTuple):
    """The costs of one client of a model. Times are in microseconds per call."""

    state_bytes: int
    adapt_alone: float
    adapt_together: float
    predict_alone: float
    predict_together: float


def main() -> None:
    """Measure every model of the zoo."""
    become_worker("benchmarks.costs")
    settings = Settings()
    catalogue = Catalogue(settings.models)
    worker = Worker(list(catalogue), settings)
    worker.start()
    costs = {card.name: asyncio.run(cost(worker, card))._asdict() for card in track(list(catalogue.values()))}
    worker.close()
    keep(costs=costs)


async def cost(worker: Worker, card: Card) -> Cost:
    """Measure one model."""
    support = made_up(card)

    async def adapt(client: int) -> Arrays:
        return await worker.adapt(card.name, str(client), support)

    async def predict(client: int) -> None:
        await worker.predict(card.name, str(client), support.inputs[:1])

    size = sum(value.nbytes for value in (await adapt(0)).values())
    times = [await microseconds(call, clients) for call in (adapt, predict) for clients in (1, CLIENTS)]
    return Cost(size, *times)


async def microseconds(call: Call, clients: int) -> float:
    """Microseconds per call with so many concurrent calls, over about `SECONDS`, after a warm-up."""
    await asyncio.gather(*(call(client) for client in range(clients)))
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        await asyncio.gather(*(call(client) for client in range(clients)))
        calls += clients
    return round((time.perf_counter() - started) / calls * 1e6, 1)


def made_up(card: Card) -> SupportSet:
    """A support set of noise. The speed does not depend on the examples."""
    inputs = np.asarray(card.input.examples(WAYS, np.random.default_rng(0)))
    if card.kind == "classification":
        return SupportSet(inputs, np.arange(WAYS), WAYS)
    return SupportSet(inputs, inputs[:, : card.outputs or 1], 0)


if __name__ == "__main__":
    main()
