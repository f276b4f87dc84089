"""What a door is, and walking one."""

import time
from pathlib import Path
from typing import NamedTuple, Protocol


class Found(NamedTuple):
    """The answer that a stranger got, and what it took."""

    answer: str
    effort: str


class Door(Protocol):
    """A way into the service."""

    def walk(self, url: str, folder: Path) -> Found:
        """Teach and ask, in an empty folder. Raises if the answer is wrong."""


class Walked(NamedTuple):
    """One walk. Without a `problem`, it has `found` the right answer."""

    name: str
    seconds: float
    effort: str
    found: str
    problem: str = ""


def walk(name: str, door: Door, url: str, folder: Path) -> Walked:
    """Walk a door. Any failure becomes its result, so that one faulty door costs no other."""
    begin = time.perf_counter()
    try:
        found = door.walk(url, folder)
    except Exception as error:
        problem = " ".join(f"failed: {error}".split())[:200]
        return Walked(name, time.perf_counter() - begin, "-", "", problem)
    return Walked(name, time.perf_counter() - begin, found.effort, found.answer)
