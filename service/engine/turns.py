"""Turns of tenants: a large job pauses while a tenant that has used less has a small job."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Turns:
    """The jobs of each tenant that wait or run, and the processor time that it has used.

    A tenant that returns after a pause starts level with the others, as in `FairQueue`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._small: Counter[str] = Counter()
        self._large: Counter[str] = Counter()
        self._used: dict[str, float] = {}
        self._closed = False

    def enter(self, tenant: str, *, large: bool) -> None:
        """A job of a tenant waits."""
        with self._changed:
            active = self._small.keys() | self._large.keys()
            level = min((self._used[each] for each in active), default=0.0)
            self._used = {each: used for each, used in self._used.items() if each in active or used > level}
            self._used[tenant] = max(self._used.get(tenant, 0.0), level)
            self._jobs(large)[tenant] += 1

    def leave(self, tenant: str, *, large: bool) -> None:
        """A job of a tenant has ended, or its caller has gone."""
        with self._changed:
            self._jobs(large)[tenant] -= 1
            self._jobs(large)[tenant] or self._jobs(large).pop(tenant)
            self._changed.notify_all()

    def charge(self, tenant: str, seconds: float) -> None:
        """Count processor time that a tenant has used."""
        with self._changed:
            self._used[tenant] = self._used.get(tenant, 0.0) + seconds
            self._changed.notify_all()

    def wait(self, tenant: str, stop: Callable[[], bool]) -> None:
        """Wait until it is the turn of a large job of a tenant, or until it shall stop."""
        with self._changed:
            while not (self._closed or stop() or self._is_first(tenant)):
                self._changed.wait()

    def close(self) -> None:
        """Wait no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_first(self, tenant: str) -> bool:
        """Whether every other tenant with small jobs has used more."""
        used = self._used.get(tenant, 0.0)
        return all(self._used[other] > used for other in self._small if other != tenant)

    def _jobs(self, large: bool) -> Counter[str]:
        return self._large if large else self._small


class BeforeEach(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While this is on, the thread calls `before` before each operation of torch. That takes some 10 microseconds."""

    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._before = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._before()
        return func(*args, **(kwargs or {}))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled under this mode. Otherwise torch imports its compiler at the first call: a second."""
        return False
