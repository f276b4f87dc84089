"""The engine of an API process: the device workers, and which of them does what. Needs no torch."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from service.arrays import Array, Arrays
from service.engine.base import SupportSet
from service.engine.deadline import within
from service.errors import Unavailable
from service.ipc import messages
from service.ipc.client import WorkerClient, WorkerLost

PREDICT_SPILL = 16
"""Jobs more than wait for the least busy worker, at which the one that has a client's state is passed over."""
ADAPT_SPILL = 2
"""The same where a state is made: an adapt takes long, and its state can be fetched from the store once."""

Choice = Callable[[], WorkerClient]


class Pool:
    """An Engine of several workers. The key of a state says where it is made, held and asked.

    When a worker is lost, what waited for it is tried once more with another: adapting and predicting change nothing.
    """

    def __init__(self, remotes: Sequence[WorkerClient], deadline_s: float) -> None:
        self._remotes, self._deadline_s = remotes, deadline_s

    async def adapt(self, model: str, key: str, support: SupportSet) -> Arrays:
        """The state that a support set gives, which is held under `key` from then on."""
        inputs, targets = messages.pack(support.inputs), messages.pack(support.targets)

        def message(number: int) -> messages.Message:
            return messages.Adapt(number, model, key, inputs, targets, support.ways)

        return messages.unpack_all(
            await within(self._deadline_s, self._ask(lambda: self._home_of(key, ADAPT_SPILL), message))
        )

    async def predict(self, model: str, key: str, queries: Array, state: Arrays | None = None) -> Array:
        """Logits (q, ways) or values (q, outputs) from the state held under `key`, or from `state`, which is held from
        then on. Raises StateNotHeld when there is neither."""
        packed, held = messages.pack(queries), None if state is None else messages.pack_all(state)

        def message(number: int) -> messages.Message:
            return messages.Predict(number, model, key, packed, held)

        return messages.unpack(
            await within(self._deadline_s, self._ask(lambda: self._home_of(key, PREDICT_SPILL), message))
        )

    def evict(self, key: str) -> None:
        """Hold a state no longer, anywhere."""
        for remote in self._remotes:
            remote.tell(messages.Evict(key))

    def alive(self) -> bool:
        """Whether a worker works and has warmed up."""
        return self.size() > 0

    def size(self) -> int:
        """How many do."""
        return sum(remote.ready for remote in self._remotes)

    async def _ask(self, choose: Choice, message: Callable[[int], messages.Message]) -> Any:
        try:
            return await choose().ask(message)
        except WorkerLost:
            return await choose().ask(message)

    def _ready(self) -> list[WorkerClient]:
        ready = [remote for remote in self._remotes if remote.ready]
        if not ready:
            raise Unavailable("No device worker is ready. One that was lost takes some seconds to come back.")
        return ready

    def _home_of(self, key: str, spill: int) -> WorkerClient:
        """By rendezvous hashing: a worker more or less moves only its own share of the states."""
        ready = self._ready()
        if len(ready) == 1:
            return ready[0]
        home = max(ready, key=lambda remote: hashlib.blake2b(f"{remote.url} {key}".encode()).digest())
        least = min(ready, key=lambda remote: remote.depth)
        return least if home.depth > least.depth + spill else home


@asynccontextmanager
async def pool_of(
    urls: Sequence[str], secret: str, models: Mapping[str, str], deadline_s: float
) -> AsyncIterator[Pool]:
    """A pool that stays connected to the workers at `urls`. `models`: names, and digests of checkpoints."""
    remotes = [WorkerClient(url, secret, models) for url in urls]
    connections = [asyncio.create_task(remote.stay_connected()) for remote in remotes]
    try:
        yield Pool(remotes, deadline_s)
    finally:
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
