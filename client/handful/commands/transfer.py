"""Export, import and adapt again: all or some clients of a service, one after another."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote

import typer
from rich.console import Console

from handful.clients import DEFAULT_URL, Handful
from handful.commands.progress import progress_bar
from handful.commands.running import Key, SomeFailed, Url, connect
from handful.refusals import RefusedError

SUFFIX = ".safetensors"
PART_BYTES = 16 * 2**20
"""A file that is larger is sent in parts: a service takes bodies of at most HANDFUL_MAX_BODY_BYTES."""

Names = Annotated[list[str] | None, typer.Argument(help="Ids of clients; by default all of the tenant.")]


def export_clients(
    clients: Names = None,
    out: Annotated[Path, typer.Option(help="Folder for the files, ID.safetensors each.")] = Path("clients"),
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Write clients to files: examples, labels and ids."""
    out.mkdir(parents=True, exist_ok=True)
    with connect(url, key) as handful:

        def export(name: str) -> str:
            handful.export(name, out / f"{quote(name, safe='')}{SUFFIX}")
            return name

        _each(clients or every_client(handful), export, f"exported to {out}")


def import_clients(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of files, as written by export.", exists=True)],
    client: Annotated[str | None, typer.Option(help="Id of the client; by default that of the file name.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Create or replace clients from files. They are adapted to their examples again."""
    from handful.client_file import parts  # noqa: PLC0415

    found = [file for path in files for file in (sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path])]
    if client is not None and len(found) != 1:
        raise ValueError(f"--client names one client, and there are {len(found)} files")
    with connect(url, key) as handful:

        def load(path: str) -> str:
            name = unquote(Path(path).name.removesuffix(SUFFIX)) if client is None else client
            for number, part in enumerate(parts(Path(path).read_bytes(), PART_BYTES)):
                handful.restore(name, part, mode="append" if number else "replace")
            return name

        _each([str(file) for file in found], load, "imported")


def readapt(
    clients: Names = None,
    model: Annotated[str | None, typer.Option(help="Move the clients to this model.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Adapt clients again whose checkpoint was replaced, or move them to another model."""
    done = 0
    with connect(url, key) as handful:

        def adapt(name: str) -> str:
            nonlocal done
            if model is not None:
                handful.move(name, model)
                done += 1
            else:
                done += handful.readapt(name)["readapted"]
            return name

        _each(clients or every_client(handful), adapt, "looked at")
    Console().print(f"{done} clients were adapted again.")


def every_client(handful: Handful) -> list[str]:
    """The ids of all clients."""
    return [client["client_id"] for client in handful.iter_clients()]


def _each(names: Sequence[str], work: Callable[[str], str], what: str) -> None:
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
