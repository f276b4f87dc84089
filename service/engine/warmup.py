"""Adapts and predicts on random examples, which warm a model up and show that it works. Imports no torch."""

import asyncio
from collections.abc import Sequence

import numpy as np

from service.arrays import SupportSet
from service.cards import Card
from service.engine.base import Engine

SHAPES = ((2, 1, 2), (5, 1, 1), (5, 5, 15))
"""Ways, shots and queries that models are compiled for."""
MEASURED = ((2, 1), (4, 2))
"""Ways and shots from which the cost of jobs is estimated before the worker is ready."""
MEASURED_MEMORY = ((2, 4), (2, 16), (8, 2))
"""Ways and shots from which the memory of adapts is estimated."""
MEASURED_LARGE = (*MEASURED, (2, 8), (8, 2), (2, 32))
"""The same, more exactly, once it is ready."""
CONCURRENT_JOBS = 4
"""Send warm-up requests concurrently, so that they form a batch: the first runs alone, the others wait for it."""


async def warm_up(engine: Engine, card: Card, ways: int = 2, shots: int = 1, queries: int = 1) -> None:
    """Run one adapt and one predict on random examples."""
    support, key = random_support(card, ways, shots), f"probe/{card.name}"
    state = await engine.adapt(card.name, key, support)
    await engine.predict(card.name, key, support.inputs[:queries], state)


async def warm_up_shapes(engine: Engine, card: Card) -> None:
    """Run jobs of several shapes, alone and together, so that torch.compile learns which sizes vary."""
    for ways, shots, queries in SHAPES:
        shape = (min(ways, card.max_ways or ways), shots, queries)
        for together in (1, CONCURRENT_JOBS):
            await asyncio.gather(*(warm_up(engine, card, *shape) for _ in range(together)))


async def measure_costs(engine: Engine, card: Card, shapes: Sequence[tuple[int, int]] = MEASURED) -> None:
    """Run jobs of several sizes one by one, of which the engine measures the costs. The second adapt of each size finds
    the features of its examples cached, so that the cost of encoding is told from that of adapting."""
    for ways, shots in shapes:
        support, key = random_support(card, min(ways, card.max_ways or ways), shots), f"probe/{card.name}"
        await engine.adapt(card.name, key, support)
        state = await engine.adapt(card.name, key, support, extends=key)
        for queries in (1, len(support.inputs)):
            await engine.predict(card.name, key, support.inputs[:queries], state)


def random_supports(card: Card, shapes: Sequence[tuple[int, int]]) -> list[SupportSet]:
    """Support sets of as many ways, if the model takes so many, and shots."""
    return [random_support(card, min(ways, card.max_ways or ways), shots) for ways, shots in shapes]


def random_support(card: Card, ways: int, shots: int) -> SupportSet:
    """A support set of random examples."""
    count, rng = ways * shots, np.random.default_rng(0)
    made = np.asarray(card.input.examples(count, rng))
    columns, _ = card.input.fit(made)
    inputs = card.input.prepare(made, columns)
    if card.kind == "regression":
        return SupportSet(inputs, np.ones((count, card.outputs or 1), dtype=np.float32), ways=0)
    return SupportSet(inputs, np.arange(count) % ways, ways)
