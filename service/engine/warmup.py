"""Made-up adapts and predicts: they warm a model up, and show that it works. Imports no torch."""

import asyncio

import numpy as np

from service.cards import Card
from service.engine.base import Engine, SupportSet

SHAPES = ((2, 1, 2), (5, 1, 1), (5, 5, 15))
"""Ways, shots and queries to compile for."""
CONCURRENT_JOBS = 4
"""The first job runs alone. The others wait meanwhile and form one batch."""


async def warm_up(engine: Engine, card: Card, ways: int = 2, shots: int = 1, queries: int = 1) -> None:
    """One adapt and one predict on made-up examples."""
    support, key = _made_up(card, ways, shots), f"probe/{card.name}"
    state = await engine.adapt(card.name, key, support)
    await engine.predict(card.name, key, support.inputs[:queries], state)


async def warm_up_shapes(engine: Engine, card: Card) -> None:
    """Jobs of several shapes, alone and together, from which torch.compile learns what may vary."""
    for ways, shots, queries in SHAPES:
        shape = (min(ways, card.max_ways or ways), shots, queries)
        for together in (1, CONCURRENT_JOBS):
            await asyncio.gather(*(warm_up(engine, card, *shape) for _ in range(together)))


def _made_up(card: Card, ways: int, shots: int) -> SupportSet:
    count, rng = ways * shots, np.random.default_rng(0)
    inputs = np.asarray(card.input.examples(count, rng))
    if card.kind == "regression":
        return SupportSet(inputs, np.ones((count, card.outputs or 1), dtype=np.float32), ways=0)
    return SupportSet(inputs, np.arange(count) % ways, ways)
