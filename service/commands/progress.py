"""A progress bar with rate, note and remaining time."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Step = TypeVar("Step")

LOG_EVERY_S = 60
"""Without a terminal, print a line this often instead of drawing a bar."""


def progress_bar(steps: Iterable[Step], total: int, done: int, describe: Callable[[Step], str]) -> Iterator[Step]:
    """Yield `steps` and show the progress on standard error.

    Args:
        steps: The steps to run.
        total: Number of all steps.
        done: Number of steps that an earlier run has done.
        describe: Makes the note beside the bar from a step.
    """
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    logged = time.monotonic()
    with Progress(*columns, console=console, speed_estimate_period=120, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total, completed=done, rate="", note="")
        for step in steps:
            task = progress.tasks[0]
            rate = f"{task.speed:.1f}/s" if task.speed else ""
            progress.update(bar, advance=1, rate=rate, note=describe(step))
            if not console.is_terminal and time.monotonic() - logged > LOG_EVERY_S:
                logged = time.monotonic()
                left = f"{task.time_remaining:.0f} s left" if task.time_remaining else ""
                console.print(f"{task.completed:.0f}/{total} {rate} {describe(step)} {left}")
            yield step
