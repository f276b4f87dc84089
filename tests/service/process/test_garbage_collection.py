"""The collector no longer looks at what was there at the start, and still finds what is left behind later."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from service.process.garbage_collection import freeze_gc


class Ring:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _nothing_spared_afterwards() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_was_there_is_not_looked_at() -> None:
    there = Ring()
    freeze_gc()
    assert not any(one is there for one in gc.get_objects())


def test_what_is_left_behind_later_is_freed() -> None:
    freeze_gc()
    left = weakref.ref(Ring())
    gc.collect()
    assert left() is None


def test_what_was_left_behind_before_is_freed_first() -> None:
    left = weakref.ref(Ring())
    freeze_gc()
    assert left() is None
