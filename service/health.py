"""Whether the service can do its job: shown by doing it."""

import asyncio

import numpy as np

from service.arrays import Array
from service.cards import Card, ImageInput
from service.engine.contract import Engine, SupportSet
from service.errors import Busy, HandfulError, Unavailable
from service.store import Store

SHAPES = ((2, 1, 2), (5, 1, 1), (5, 5, 15))
"""Ways, shots and queries to compile for."""
TOGETHER = 4
"""The first of them runs alone; the others wait meanwhile, and are a batch."""


class Readiness:
    """What /readyz asks."""

    def __init__(self, store: Store, engine: Engine, card: Card) -> None:
        self._store, self._engine, self._card = store, engine, card
        self._probe: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Reach Redis, and adapt and answer with a model: once for all who ask meanwhile, since they need no key and
        take the device's time. Raises Unavailable."""
        await self._store.ping()
        if not self._engine.alive():
            raise Unavailable("The device worker is not running.")
        if self._probe is None:
            self._probe = asyncio.create_task(self._work())
            self._probe.add_done_callback(self._forget)
        await asyncio.shield(self._probe)

    async def _work(self) -> None:
        try:
            await warm_up(self._engine, self._card)
        except Busy:
            return  # it works, and has much to do
        except HandfulError as error:
            raise Unavailable(f"The device worker did not answer a probe: {error.detail}") from error

    def _forget(self, _: asyncio.Task[None]) -> None:
        self._probe = None


async def warm_up(engine: Engine, card: Card, ways: int = 2, shots: int = 1, queries: int = 1) -> None:
    """One adapt and one predict on made-up examples."""
    support, key = _made_up(card, ways, shots), f"probe/{card.name}"
    state = await engine.adapt(card.name, key, support)
    await engine.predict(card.name, key, support.inputs[:queries], state)


async def warm_up_shapes(engine: Engine, card: Card) -> None:
    """Jobs of several shapes, alone and together, from which torch.compile learns what may vary."""
    for ways, shots, queries in SHAPES:
        shape = (min(ways, card.max_ways or ways), shots, queries)
        for together in (1, TOGETHER):
            await asyncio.gather(*(warm_up(engine, card, *shape) for _ in range(together)))


def _made_up(card: Card, ways: int, shots: int) -> SupportSet:
    count, rng = ways * shots, np.random.default_rng(0)
    inputs: Array
    if isinstance(card.input, ImageInput):
        inputs = rng.integers(0, 256, (count, 1, card.input.size, card.input.size), dtype=np.uint8)
    else:
        inputs = rng.uniform(-1, 1, (count, card.input.length)).astype(np.float32)
    if card.kind == "regression":
        return SupportSet(inputs, np.ones((count, card.outputs or 1), dtype=np.float32), ways=0)
    return SupportSet(inputs, np.arange(count) % ways, ways)
