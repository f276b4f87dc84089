"""Export, import and adapt again: all or some clients of a service, one after another."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote

import typer
from rich.console import Console

from handful.address import DEFAULT_URL
from handful.commands import quality
from handful.commands.each_client import Names, each, every_client
from handful.commands.running import Key, Url, connect

SUFFIX = ".safetensors"
PART_BYTES = 16 * 2**20
"""A file that is larger is sent in parts: a service takes bodies of at most HANDFUL_MAX_BODY_BYTES."""


def export_clients(
    clients: Names = None,
    out: Annotated[Path, typer.Option(help="Folder for the files, ID.safetensors each.")] = Path("clients"),
    onnx: Annotated[
        Path | None,
        typer.Option(help="Write the adapted network of one client to this ONNX file, in place of its examples."),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Write clients to files: examples, labels and ids; or with --onnx the adapted network of one."""
    if onnx is not None:
        _export_onnx(clients or [], onnx, url, key)
        return
    out.mkdir(parents=True, exist_ok=True)
    with connect(url, key) as handful:

        def export(name: str) -> str:
            handful.export(name, out / f"{quote(name, safe='')}{SUFFIX}")
            return name

        each(clients or every_client(handful), export, f"exported to {out}")


def _export_onnx(clients: list[str], file: Path, url: str, key: str | None) -> None:
    if len(clients) != 1:
        raise ValueError(f"--onnx writes the network of one client, and {len(clients) or 'none'} are named")
    with connect(url, key) as handful:
        handful.export_onnx(clients[0], file)
    Console().print(f"The network of {clients[0]} is in {file}.", markup=False, highlight=False, soft_wrap=True)


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

        each([str(file) for file in found], load, "imported")


def readapt(
    clients: Names = None,
    model: Annotated[str | None, typer.Option(help="Move the clients to this model.")] = None,
    before: Annotated[
        Path | None,
        typer.Option(help="What `quality` wrote before the checkpoint was replaced, to compare with.", exists=True),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="With --model, judge each client before and after the move.")
    ] = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Adapt clients again whose checkpoint was replaced, or move them to another model.

    With --before or --compare, print how good each client was before and is after.
    """
    if compare and model is None:
        raise ValueError("--compare needs --model; for a replaced checkpoint, write --before FILE with quality first")
    done, old, new = 0, {} if before is None else quality.read(before), dict[str, quality.Scores]()
    with connect(url, key) as handful:

        def adapt(name: str) -> str:
            nonlocal done
            if compare:
                old[name] = quality.scores(handful, name)
            if model is not None:
                handful.move(name, model)
                done += 1
            else:
                done += handful.readapt(name)["readapted"]
            if compare or name in old:
                new[name] = quality.scores(handful, name)
            return name

        each(clients or every_client(handful), adapt, "looked at")
    Console().print(f"{done} clients were adapted again.")
    quality.report(old, new)
