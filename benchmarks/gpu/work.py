"""Jobs with the inputs that a model's card describes."""

import numpy as np

from service.arrays import Array, SupportSet
from service.cards import Card
from service.engine.device import Device
from service.engine.jobs import Adapted, AdaptJob, PredictJob

WAYS, SHOTS = 5, 2
QUERIES_SEED = 1_000_003


def support(card: Card, seed: int, examples: int | None = None) -> SupportSet:
    """A support set of random inputs: 5 ways and 2 shots, unless the model takes fewer or `examples` says otherwise."""
    ways = min(WAYS, card.max_ways or WAYS)
    count = examples or ways * SHOTS
    rng = np.random.default_rng(seed)
    inputs = prepared(card, count, rng)
    if card.kind == "regression":
        return SupportSet(inputs, rng.normal(size=(count, card.outputs or 1)).astype(np.float32), 0)
    return SupportSet(inputs, np.arange(count) % ways, ways)


def prepared(card: Card, count: int, rng: np.random.Generator) -> Array:
    """Random inputs (n, *input) as the model takes them. The columns of tables are those of the same rows always."""
    known = np.asarray(card.input.examples(WAYS * SHOTS, np.random.default_rng(0)))
    columns, _ = card.input.fit(known)
    return np.asarray(card.input.prepare(np.asarray(card.input.examples(count, rng)), columns))


def adapts(card: Card, jobs: int) -> list[AdaptJob]:
    """A batch of clients, each with a support set of its own."""
    return [AdaptJob(card.name, str(seed), support(card, seed)) for seed in range(jobs)]


def predicts(device: Device, card: Card, jobs: int, queries: int) -> list[PredictJob]:
    """A batch of clients, each with a state of its own. Raises RuntimeError if one diverges."""
    inputs = prepared(card, queries, np.random.default_rng(QUERIES_SEED))
    found = [job for job in device.adapt(adapts(card, jobs)) if isinstance(job, Adapted)]
    if len(found) < jobs:
        raise RuntimeError(f"{jobs - len(found)} of {jobs} adapts of {card.name} diverged")
    return [PredictJob(card.name, one.kept.state, inputs) for one in found]
