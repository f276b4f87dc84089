"""Show how many inputs of a call are done: by a function of the caller, rich or tqdm."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

Progress = bool | Callable[[int, int | None], None]
"""True for a bar on standard error, or a function of the number of inputs that are done, and of all if it is known."""
Advance = Callable[[int], None]


@contextmanager
def progress_of(wanted: Progress, inputs: Any) -> Iterator[Advance]:
    """A function that is called with the number of further inputs that are done. Raises ModuleNotFoundError."""
    total = inputs if isinstance(inputs, int) else len(inputs) if hasattr(inputs, "__len__") else None
    if callable(wanted):
        yield _counting(wanted, total)
    elif not wanted:
        yield lambda _: None
    elif find_spec("rich"):
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda count: bar.update(task, advance=count)
    else:
        yield from _by_tqdm(total)


def _counting(tell: Callable[[int, int | None], None], total: int | None) -> Advance:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(done, total)

    return advance


def _by_tqdm(total: int | None) -> Iterator[Advance]:
    try:
        from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore] # noqa: PLC0415
    except ModuleNotFoundError:
        raise ModuleNotFoundError("progress=True needs rich or tqdm: pip install rich", name="rich") from None
    with tqdm(total=total) as bar:
        yield bar.update
