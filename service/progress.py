"""A progress bar with rate, score and time left."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Step = TypeVar("Step")


def with_bar(steps: Iterable[Step], total: int, done: int, describe: Callable[[Step], str]) -> Iterator[Step]:
    """Pass `steps` on, drawing on standard error how far they are: `done` of `total` are behind us already."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=120) as progress:
        task = progress.add_task("", total=total, completed=done, rate="-", note="")
        for step in steps:
            speed = progress.tasks[0].speed
            rate = f"{speed:.1f}" if speed else "-"
            progress.update(task, advance=1, rate=rate, note=describe(step))
            yield step
