"""After each change, the state of a client equals that of adapting to what remains, for every model of the zoo."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from models.learner import Learner
from service.arrays import Array
from service.cards import Card, Catalogue
from service.engine import input_encoder
from service.engine.worker import Worker
from service.inputs.decoder import Decoder
from service.inputs.kind import Decoded, InputKind
from service.inputs.prepare import prepare
from service.settings import ZOO, Settings
from service.store.records import StateKey
from service.store.store import Store
from service.use_cases.editing import Editing
from service.use_cases.learning import Learning
from tests.service.supports import ALICE, Calls, teaching

pytestmark = pytest.mark.anyio

CATALOGUE = Catalogue(ZOO)
CLASSES = ("cat", "dog", "owl")
FIRST, MORE = 7, 3
HALF_LIFE_S = 0.01
SCRATCH = "scratch"


class Numbered(Decoder):
    """Decodes numbers to the inputs of that number."""

    def __init__(self, inputs: Array) -> None:
        self._inputs = inputs

    async def decode(self, kind: InputKind, raw: Sequence[Any], fields: Sequence[str], tenant: str) -> Decoded:
        return Decoded(self._inputs[list(raw)], [])


class Client:
    """A client of one model, and what it must be."""

    def __init__(self, card: Card, worker: Worker, store: Store) -> None:
        inputs = card.input.examples(FIRST + MORE, np.random.default_rng(0))
        self.worker, self.store, self.card = worker, store, card
        learning = Learning({card.name: card}, worker, store, Settings())
        self.clients, self.edits = Calls(learning, Numbered(np.asarray(inputs))), Editing(learning)

    def pairs(self, numbers: range) -> list[tuple[int, Any, str]]:
        outputs, chance = self.card.outputs, np.random.default_rng(1).normal(size=(FIRST + MORE, 8))
        label = (lambda n: chance[n, :outputs].tolist()) if outputs else (lambda n: CLASSES[n % len(CLASSES)])
        return [(n, label(n), f"e{n}") for n in numbers]

    async def check(self, examples: int) -> None:
        """Compare the stored state with that of another client, which learns the same from nothing."""
        contents = await self.store.contents(ALICE)
        record, support = contents.record, contents.support()
        assert len(support.targets) == examples
        found = await self.store.state(StateKey(ALICE, record.write, self.card.checkpoint), record)
        inputs = await prepare(self.card.input, support.inputs, record.columns)
        expected = await self.worker.adapt(self.card.name, SCRATCH, support._replace(inputs=inputs))
        self.worker.evict(SCRATCH)
        assert found is not None
        assert found.keys() == expected.keys()
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.fixture(params=list(CATALOGUE))
async def client(request, redis_url, redis) -> AsyncIterator[Client]:
    redis.flushall()
    store = Store(redis_url, timeout_s=20, state_ttl_s=1000)
    worker = Worker([request.param], Settings())
    worker.start()
    yield Client(CATALOGUE[request.param], worker, store)
    worker.close()
    await store.close()


async def test_the_state_equals_adapting_to_what_remains(client):
    await client.clients.adapt(ALICE, teaching(client.card.name, client.pairs(range(FIRST))))
    await client.check(FIRST)
    await client.clients.append(ALICE, teaching(None, client.pairs(range(FIRST, FIRST + MORE))))
    await client.check(FIRST + MORE)
    await client.edits.remove(ALICE, "e0")
    await client.check(FIRST + MORE - 1)
    await client.edits.relabel(ALICE, "e4", [0.5] * client.card.outputs if client.card.outputs else "owl")
    await client.check(FIRST + MORE - 1)
    if client.card.kind == "classification":
        await client.edits.rename(ALICE, "cat", "zebra")
        await client.check(FIRST + MORE - 1)
        await client.edits.remove_class(ALICE, "dog")
        await client.check(FIRST + MORE - 3)
    keep = 1 if client.card.kind == "classification" else 4
    bounded = await client.clients.append(ALICE, teaching(None, client.pairs(range(3)), keep=keep))
    assert bounded.dropped
    await client.check(bounded.record.examples)
    if client.card.weighted_examples:
        await client.clients.append(ALICE, teaching(None, [], half_life_s=HALF_LIFE_S))
        await client.check(bounded.record.examples)
        await client.clients.adapt(ALICE, teaching(client.card.name, client.pairs(range(3)), half_life_s=HALF_LIFE_S))
        await client.check(3)
        await client.clients.append(ALICE, teaching(None, client.pairs(range(3, FIRST))))
        await client.check(FIRST)


async def test_only_new_examples_are_encoded(zoo, redis_url, redis, monkeypatch):
    """The features of the others are those that the device keeps with the state."""
    redis.flushall()
    encoded: list[int] = []
    encode_many = input_encoder.encode_many

    def counted(learner: Learner, inputs: Tensor) -> Tensor:
        encoded.append(len(inputs))
        return encode_many(learner, inputs)

    monkeypatch.setattr(input_encoder, "encode_many", counted)
    store = Store(redis_url, timeout_s=20, state_ttl_s=1000)
    worker = Worker(["glyphs"], Settings(models=zoo, feature_cache_bytes=0))
    worker.start()
    client = Client(Catalogue(zoo)["glyphs"], worker, store)
    await client.clients.adapt(ALICE, teaching("glyphs", client.pairs(range(FIRST))))
    await client.clients.append(ALICE, teaching(None, client.pairs(range(FIRST, FIRST + MORE))))
    await client.edits.remove(ALICE, "e3")
    await client.edits.relabel(ALICE, "e4", "owl")
    await client.edits.remove_class(ALICE, "cat")
    await client.clients.append(ALICE, teaching(None, [], keep=1))
    worker.close()
    await store.close()
    assert encoded == [FIRST, MORE]
