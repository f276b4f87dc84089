"""Coalesces concurrent reads into one command. A round trip costs far more than the read itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BatchedReads(Generic[Key, Value]):
    """Calls `read` with all keys that were requested during the previous read. It never waits for more keys. A read
    starts after its request, so it sees all earlier writes."""

    def __init__(self, read: Callable[[list[Key]], Awaitable[Sequence[Value]]]) -> None:
        self._read = read
        self._waiting: list[tuple[Key, asyncio.Future[Value]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Value:
        """The value of one key. Raises what `read` raises."""
        answer: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await answer

    async def _read_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            keys, answers = zip(*batch, strict=True)
            outcomes = await self._try([*keys])
            for answer, outcome in zip(answers, outcomes, strict=True):
                _settle(answer, outcome)
        self._reading = None

    async def _try(self, keys: list[Key]) -> Sequence[Value | Exception]:
        try:
            return await self._read(keys)
        except Exception as error:
            return [error] * len(keys)


def _settle(answer: "asyncio.Future[Value]", outcome: Value | Exception) -> None:
    if answer.done():  # its caller is gone
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
