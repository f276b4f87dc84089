"""Garbage collection excludes objects that exist at startup and still frees later ones."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from service.process.garbage_collection import freeze_gc


class Ring:
    """A reference cycle, which only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _unfreeze() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_objects_that_exist_at_startup_are_excluded() -> None:
    there = Ring()
    freeze_gc()
    assert not any(one is there for one in gc.get_objects())


def test_later_garbage_is_freed() -> None:
    freeze_gc()
    left = weakref.ref(Ring())
    gc.collect()
    assert left() is None


def test_garbage_that_exists_at_startup_is_freed_first() -> None:
    left = weakref.ref(Ring())
    freeze_gc()
    assert left() is None
