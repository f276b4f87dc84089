"""handful export, handful import and handful readapt: all or some clients of a running service, one after another."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from rich.console import Console

from service.api.parsing import parse_client_file
from service.client import Handful, RefusedError
from service.commands.progress import progress_bar
from service.use_cases.client_file import from_parts

SUFFIX = ".safetensors"
PAGE = 200
PART_BYTES = 16 * 2**20
"""A file that is larger is sent in parts: a service takes bodies of at most HANDFUL_MAX_BODY_BYTES."""
MOST_EXAMPLES = 1_000_000


def export_clients(handful: Handful, names: Sequence[str], folder: Path) -> None:
    """Write each client to `folder/ID.safetensors`. Without names, all clients of the key's tenant."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = list(names) or list(every_client(handful))

    def export(name: str) -> str:
        handful.export(name, folder / f"{quote(name, safe='')}{SUFFIX}")
        return name

    _each(chosen, export, f"exported to {folder}")


def import_clients(handful: Handful, paths: Sequence[Path], name: str | None) -> None:
    """Create or replace a client from each file, under its id in the file name, or under `name`."""
    files = [file for path in paths for file in (sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path])]
    if name is not None and len(files) != 1:
        raise ValueError(f"--client names one client, and there are {len(files)} files")

    def load(path: str) -> str:
        client_id = unquote(Path(path).name.removesuffix(SUFFIX)) if name is None else name
        for number, part in enumerate(parts_of(Path(path))):
            handful.restore(client_id, part, mode="append" if number else "replace")
        return client_id

    _each([str(file) for file in files], load, "imported")


def readapt_clients(handful: Handful, names: Sequence[str], model: str | None) -> None:
    """Adapt each client again whose checkpoint was replaced, or move each to `model`."""
    chosen, done = list(names) or list(every_client(handful)), 0

    def readapt(name: str) -> str:
        nonlocal done
        if model is not None:
            handful.move(name, model)
            done += 1
        else:
            done += handful.readapt(name)["readapted"]
        return name

    _each(chosen, readapt, "looked at")
    Console().print(f"{done} clients were adapted again.")


def every_client(handful: Handful) -> Iterator[str]:
    """The ids of all clients."""
    cursor: str | None = None
    while True:
        page = handful.clients(cursor=cursor, limit=PAGE)
        yield from (each["client_id"] for each in page["clients"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def parts_of(path: Path, limit: int = PART_BYTES) -> Iterator[bytes]:
    """The file of a client, or files of some of its examples each if it is larger than `limit` bytes."""
    whole = path.read_bytes()
    if len(whole) <= limit:
        yield whole
        return
    file = from_parts(*parse_client_file(whole, MOST_EXAMPLES))
    count = max(1, len(file.labels) * limit // len(whole))
    for start in range(0, len(file.labels), count):
        yield file.part(slice(start, start + count))


def _each(names: Sequence[str], work: Callable[[str], str], what: str) -> None:
    """Do the work for each name, with a progress bar. What fails is named at the end. Raises ValueError."""
    failed: list[str] = []

    def attempt(name: str) -> str:
        try:
            return work(name)
        except RefusedError as error:
            failed.append(f"{name}: {error}")
            return name

    for _ in progress_bar(map(attempt, names), len(names), 0, str):
        pass
    Console().print(f"{len(names) - len(failed)} of {len(names)} clients {what}.")
    if failed:
        raise ValueError("; ".join(failed))
