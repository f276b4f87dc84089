"""The time that a request spends in each stage."""

import time


class Clock:
    """Milliseconds of each stage of a request."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.laps_ms[name], self._last = round((now - self._last) * 1000, 3), now
