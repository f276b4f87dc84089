"""What every format is read as: records with their place in the file, and a list of what could not be read."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

NOT_UTF8 = "not UTF-8"
"""The reason for texts in another encoding."""
SHOWN = 10
"""Places that are named in a report; the rest is counted."""


class Record(NamedTuple):
    """A row of a file, or a file of a folder. `place` says where it is, such as "line 7"."""

    place: str
    values: Mapping[str, Any]


class Rejects:
    """Records that cannot be used: how many for each reason, and where the first ones are."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: list[str] = []

    def add(self, place: str, reason: str) -> None:
        """Note a record that is left out."""
        self.counts[reason] += 1
        if len(self.first) < SHOWN:
            self.first.append(f"{place}: {reason}")

    def lines(self) -> list[str]:
        """The report: the first places, then the counts."""
        more = self.counts.total() - len(self.first)
        return [*self.first, *([f"and {more} more"] if more else [])]
