"""What came of the load: what was answered, when, and what was not as it must be."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.ledger import Verdict


@dataclass
class Tally:
    """What came of it all."""

    operations: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    successes: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    during: str = ""
    """What befalls the service now."""
    note: str = ""
    """What there is to say about that."""
    may_break: bool = False
    """Whether connections may break: what accepts them is down."""

    def judged(self, verdict: Verdict) -> None:
        """Count what was wrong or lost."""
        if verdict.wrong:
            (self.lost if verdict.lost else self.wrong).append(f"{self.during}: {verdict.wrong}")

    def violated(self, what: str) -> None:
        """Count an answer that is none of those that are allowed."""
        self.violations.append(f"{self.during}: {what}")

    def longest_outage(self, call: str, since: float, until: float) -> float:
        """Seconds in which no adapt, or no predict, was answered."""
        return _longest_gap(since, self.successes[call], until)


def _longest_gap(since: float, moments: Sequence[float], until: float) -> float:
    within = [since, *(moment for moment in moments if since < moment < until), until]
    return max(later - earlier for earlier, later in pairwise(within))
