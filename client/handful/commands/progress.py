"""A progress bar on standard error. Without a terminal there is none."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

Step = TypeVar("Step")


def progress_bar(steps: Iterable[Step], total: int) -> Iterator[Step]:
    """Yield `steps` and show how many of `total` are done."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total)
        for step in steps:
            yield step
            progress.update(bar, advance=1)
