"""A progress bar with rate, note and time left."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Step = TypeVar("Step")

LOG_EVERY_S = 60
"""Between two lines where there is no terminal to draw a bar on."""


def progress_bar(steps: Iterable[Step], total: int, done: int, describe: Callable[[Step], str]) -> Iterator[Step]:
    """Pass `steps` on, showing on standard error how far they are: `done` of `total` are behind us already."""
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
