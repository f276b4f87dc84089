"""The report on the console."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.faults import Fault
from tests.chaos.suite import Outcome
from tests.chaos.tally import Tally

SHOWN = 10


class Report:
    """Prints to the console."""

    def __init__(self) -> None:
        self._console = Console()

    def progress(self, outcome: Outcome) -> None:
        """Print one outcome."""
        self._console.print(f"{outcome.fault.name}: recovered after {outcome.whole_s:.1f} s")

    def left_out(self, fault: Fault, why: str) -> None:
        """Print that a fault cannot be caused here."""
        self._console.print(f"{fault.name}: left out: {why}", style="yellow")

    def table(self, tally: Tally, outcomes: Sequence[Outcome]) -> None:
        """Print all outcomes."""
        table = Table("fault", "recovered after", "no adapt for", "no predict for", "")
        for fault, *seconds, note in outcomes:
            table.add_row(fault.name, *(f"{each:.1f} s" for each in seconds), note)
        self._console.print(table)
        worst = max(outcomes, key=_outage)
        answers = ", ".join(f"{answer}: {count}" for answer, count in sorted(tally.answers.items()))
        self._console.print(
            f"{tally.operations} operations ({answers}), {len(outcomes)} faults, {len(tally.lost)} lost, "
            f"{len(tally.wrong)} wrong, {len(tally.violations)} violations; "
            f"longest outage {_outage(worst):.1f} s ({worst.fault.name})"
        )
        for name in ("lost", "wrong", "violations"):
            for what in getattr(tally, name)[:SHOWN]:
                self._console.print(f"{name}: {what}", style="red")
        for one in outcomes:
            if one.whole_s > one.fault.limit_s:
                self._console.print(f"{one.fault.name}: the limit is {one.fault.limit_s:g} s", style="red")

    @staticmethod
    def failed(tally: Tally, outcomes: Sequence[Outcome]) -> bool:
        """Whether anything was lost, wrong or too slow."""
        return bool(tally.lost or tally.wrong or tally.violations) or any(
            one.whole_s > one.fault.limit_s for one in outcomes
        )


def _outage(outcome: Outcome) -> float:
    return max(outcome.adapt_outage_s, outcome.predict_outage_s)
