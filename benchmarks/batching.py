"""What batching across clients gains: the worker's rate with many clients at once, over its rate with one at a time.

make bench
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from service.cards import Card, Catalogue, ImageInput
from service.engine.contract import SupportSet
from service.engine.worker import Worker
from service.settings import Settings

CLIENTS = 64
ROUNDS = 3
SHOTS, WAYS, QUERIES = 1, 5, 1

Call = Callable[[int], Awaitable[object]]


def main() -> None:
    """Print jobs per second of each model, one at a time and together, and the ratio."""
    settings = Settings()
    catalogue = Catalogue(settings.models)
    worker = Worker(list(catalogue), settings)
    worker.start()
    table = Table("model", "call", "one at a time, 1/s", f"{CLIENTS} clients, 1/s", "ratio")
    for card in catalogue.values():
        for name, call in calls(worker, card).items():
            alone, together = asyncio.run(rates(call))
            table.add_row(card.name, name, f"{alone:.0f}", f"{together:.0f}", f"{together / alone:.2f}")
    worker.close()
    Console().print(table)


def calls(worker: Worker, card: Card) -> dict[str, Call]:
    """An adapt and a predict of client i."""
    support = made_up(card)

    async def adapt(client: int) -> None:
        worker.hold(str(client), await worker.adapt(card.name, support))

    async def predict(client: int) -> None:
        await worker.predict(card.name, str(client), support.inputs[:QUERIES])

    return {"adapt": adapt, "predict": predict}


async def rates(call: Call) -> tuple[float, float]:
    """Jobs per second one at a time, and all at once, in interleaved rounds after one that does not count."""
    alone = together = 0.0
    for counted in [False] + [True] * ROUNDS:
        started = time.perf_counter()
        for client in range(CLIENTS):
            await call(client)
        middle = time.perf_counter()
        await asyncio.gather(*(call(client) for client in range(CLIENTS)))
        if counted:
            alone, together = alone + middle - started, together + time.perf_counter() - middle
    return ROUNDS * CLIENTS / alone, ROUNDS * CLIENTS / together


def made_up(card: Card) -> SupportSet:
    """A support set of the size of the figures: 5-way 1-shot, or 5 points."""
    rng = np.random.default_rng(0)
    if isinstance(card.input, ImageInput):
        images = rng.integers(0, 256, (WAYS * SHOTS, 1, card.input.size, card.input.size), dtype=np.uint8)
        return SupportSet(images, np.repeat(np.arange(WAYS), SHOTS), WAYS)
    points = rng.normal(size=(WAYS, card.input.length)).astype(np.float32)
    return SupportSet(points, rng.normal(size=(WAYS, card.outputs or 1)).astype(np.float32), 0)


if __name__ == "__main__":
    main()
