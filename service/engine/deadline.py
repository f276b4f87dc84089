"""The deadline of a job."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from service.errors import DeadlineExceeded

Result = TypeVar("Result")


async def within(seconds: float, answer: Awaitable[Result]) -> Result:
    """Wait for the answer. After `seconds`, cancel it and raise DeadlineExceeded."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise DeadlineExceeded(
            f"The job waited for the limit of {seconds:g} s. Nothing was changed. Try again later."
        ) from None
