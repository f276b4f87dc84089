"""Turns of tenants: a large job pauses while a tenant that has used less has a job."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from service.engine.costs import PIECE_S


class Turns:
    """The tenants that have small jobs or a running large one, and the processor time that each has used.

    A tenant that returns after a pause starts level with the others, as in `FairQueue`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._small: Counter[str] = Counter()
        self._large: Counter[str] = Counter()
        self._used: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._closed = False

    def enter(self, tenant: str, *, large: bool = False) -> None:
        """A small job of a tenant waits, or a large one runs."""
        with self._changed:
            active = self._small.keys() | self._large.keys()
            level = min((self._used[each] for each in active), default=0.0)
            self._used = {each: used for each, used in self._used.items() if each in active or used > level}
            self._used[tenant] = max(self._used.get(tenant, 0.0), level)
            self._jobs(large)[tenant] += 1

    def leave(self, tenant: str, *, large: bool = False) -> None:
        """A small job of a tenant has ended, or a large one has, or waits for its next piece."""
        jobs = self._jobs(large)
        with self._changed:
            jobs[tenant] -= 1
            if not jobs[tenant]:
                del jobs[tenant]
            self._changed.notify_all()

    @contextmanager
    def running(self, tenant: str) -> Iterator[None]:
        """While a large job of a tenant runs."""
        self.enter(tenant, large=True)
        try:
            yield
        finally:
            self.leave(tenant, large=True)

    def charge(self, tenant: str, seconds: float) -> None:
        """Count processor time that a tenant has used."""
        with self._changed:
            self._used[tenant] = self._used.get(tenant, 0.0) + seconds
            self._spent[tenant] = self._spent.get(tenant, 0.0) + seconds
            self._changed.notify_all()

    def spent(self) -> dict[str, float]:
        """The processor time that each tenant has used since the last call."""
        with self._changed:
            spent, self._spent = self._spent, {}
        return {tenant: seconds for tenant, seconds in spent.items() if tenant and seconds > 0}

    def wait(self, tenant: str, stop: Callable[[], bool]) -> None:
        """Wait until it is the turn of a large job of a tenant, or until it shall stop."""
        with self._changed:
            while not (self._closed or stop() or self._is_next(tenant)):
                self._changed.wait()

    def wake(self) -> None:
        """Let the jobs that wait look again whether they shall stop."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Wait no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_next(self, tenant: str) -> bool:
        """Whether the others with small jobs have used more, and those with large jobs not much less."""
        used = self._used.get(tenant, 0.0)
        small = all(self._used[other] > used for other in self._small if other != tenant)
        return small and all(self._used[other] > used - PIECE_S for other in self._large)

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
