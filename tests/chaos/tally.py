"""The results of the load: answers, their times, and violations."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.ledger import Verdict


@dataclass
class Tally:
    """The results of the load."""

    operations: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    successes: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    during: str = ""
    """The current fault."""
    note: str = ""
    """A remark on it."""
    may_break: bool = False
    """Whether connections may break, because the process that accepts them is down."""

    def judged(self, verdict: Verdict) -> None:
        """Record a wrong answer or a loss."""
        if verdict.wrong:
            (self.lost if verdict.lost else self.wrong).append(f"{self.during}: {verdict.wrong}")

    def violated(self, what: str) -> None:
        """Record an answer that is not allowed."""
        self.violations.append(f"{self.during}: {what}")

    def longest_outage(self, call: str, since: float, until: float) -> float:
        """The longest time without an answered call, in seconds."""
        return _longest_gap(since, self.successes[call], until)


def _longest_gap(since: float, moments: Sequence[float], until: float) -> float:
    within = [since, *(moment for moment in moments if since < moment < until), until]
    return max(later - earlier for earlier, later in pairwise(within))
