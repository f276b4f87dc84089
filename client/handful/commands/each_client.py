"""Work on all or some clients of a service, one after another."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console

from handful.blocking import Handful
from handful.commands.progress import progress_bar
from handful.commands.running import SomeFailed
from handful.refusals import RefusedError

Names = Annotated[list[str] | None, typer.Argument(help="Ids of clients; by default all of the tenant.")]


def every_client(handful: Handful) -> list[str]:
    """The ids of all clients."""
    return [client["client_id"] for client in handful.iter_clients()]


def each(names: Sequence[str], work: Callable[[str], str], what: str) -> None:
    """Do the work for each name, with a progress bar. What fails is named at the end. Raises SomeFailed."""
    failed: list[str] = []

    def attempt(name: str) -> None:
        try:
            work(name)
        except (RefusedError, ValueError, OSError) as error:
            failed.append(f"{name}: {error}")

    for _ in progress_bar(map(attempt, names), len(names)):
        pass
    Console().print(f"{len(names) - len(failed)} of {len(names)} clients {what}.")
    if failed:
        raise SomeFailed("; ".join(failed))
