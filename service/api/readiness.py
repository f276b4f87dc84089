"""The readiness check: it adapts and predicts."""

import asyncio

from service.cards import Card
from service.engine.base import Engine
from service.engine.warmup import warm_up
from service.errors import Busy, HandfulError, Unavailable
from service.inputs.decoder import Decoder
from service.store.store import Store


class Readiness:
    """Checks whether the service can do its job."""

    def __init__(self, store: Store, engine: Engine, card: Card, decoder: Decoder) -> None:
        self._store, self._engine, self._card, self._decoder = store, engine, card, decoder
        self._probe: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Write to Redis, decode an image file, adapt and predict.

        Concurrent calls share one check, because they need no key and a check takes time on the device. Raises
        Unavailable.
        """
        self._check_worker()
        if self._probe is None:
            self._probe = asyncio.create_task(self._work())
            self._probe.add_done_callback(self._forget)
        await asyncio.shield(self._probe)

    async def check_device(self) -> None:
        """Decode an image file, adapt and predict. Raises Unavailable."""
        self._check_worker()
        try:
            await self._decoder.check()
            await warm_up(self._engine, self._card)
        except Busy:
            return  # it works but is busy
        except HandfulError as error:
            raise Unavailable(f"The check failed: {error.detail}") from error

    def _check_worker(self) -> None:
        if not self._engine.alive():
            raise Unavailable("The device worker is not running.")

    async def _work(self) -> None:
        await self._store.ping()
        await self.check_device()

    def _forget(self, _: asyncio.Task[None]) -> None:
        self._probe = None
