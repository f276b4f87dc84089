"""Versions for the tests of the store, and requests for those of the use cases.

All parts of a version show the same number.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from service.arrays import Array
from service.cards import Card
from service.engine.base import Engine
from service.inputs.decoder import Decoder
from service.settings import Settings
from service.store.examples import Example, digest, form_of, to_raw
from service.store.reading import Contents
from service.store.records import ClientKey, Draft, Record, StateKey
from service.store.store import Store
from service.use_cases.adapting import Adapting, Teaching
from service.use_cases.clients import Clients
from service.use_cases.gathering import Given
from service.use_cases.learning import Learning
from service.use_cases.predicting import Predicting

CHECKPOINT = "0123456789abcdef"
ALICE = ClientKey("acme", "alice")


def examples_of(inputs: Array, prefix: str = "e") -> list[Example]:
    """New examples of inputs, with ids that count."""
    return [Example(f"{prefix}{i}", datetime.now(UTC), digest(raw), raw) for i, raw in enumerate(to_raw(inputs))]


def draft(number: int = 1, ttl_s: int | None = None) -> Draft:
    """A version of `number` examples, with targets and a state of `number`."""
    inputs = np.zeros((number, 2), np.float32)
    state = {"w": np.array([number])}
    expires_at = None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)
    classes, targets = ["a", str(number)], [number] * number
    return Draft(
        secrets.token_hex(8), "glyphs", CHECKPOINT, None, classes, examples_of(inputs), targets, form_of(inputs), state,
        expires_at,
    )  # fmt: skip


def numbers(contents: Contents) -> set[int]:
    """All numbers of a version: one number if its parts belong together."""
    record = contents.record
    return {record.examples, len(contents.examples), *contents.targets, int(record.classes[1])}


def key_of(client: ClientKey, record: Record) -> StateKey:
    return StateKey(client, record.write, CHECKPOINT)


class Calls:
    """The calls of a client, as the routes make them."""

    def __init__(self, learning: Learning, decoder: Decoder) -> None:
        self.adapting, clients, self.store = Adapting(learning, decoder), Clients(learning), learning.store
        self.adapt, self.append = self.adapting.adapt, self.adapting.append
        self.predict = Predicting(learning, decoder).predict
        self.show, self.page, self.forget = clients.show, clients.page, clients.forget


def use_cases(
    catalogue: Mapping[str, Card], engine: Engine, store: Store, settings: Settings, decoder: Decoder
) -> Calls:
    return Calls(Learning(catalogue, engine, store, settings), decoder)


def teaching(model: str | None, pairs: Sequence[tuple[Any, Any]], *more: Any, **options: Any) -> Teaching:
    """A request to adapt to (input, label) pairs."""
    return Teaching(model, [Given(*pair) for pair in pairs], *more, **options)
