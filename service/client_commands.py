"""The commands that are clients of a running service: export, import, readapt. Each imports its code when it runs."""

from pathlib import Path
from typing import Annotated

import typer

TIMEOUT_S = 600
Url = Annotated[str, typer.Option(help="Address of the service.", envvar="HANDFUL_URL")]
Key = Annotated[str | None, typer.Option(help="API key of the tenant.", envvar="HANDFUL_KEY")]
Names = Annotated[list[str] | None, typer.Argument(help="Ids of clients; by default all of the tenant.")]


def export_clients(
    clients: Names = None,
    out: Annotated[Path, typer.Option(help="Folder for the files, ID.safetensors each.")] = Path("clients"),
    url: Url = "http://127.0.0.1:8000",
    key: Key = None,
) -> None:
    """Write clients of a running service to files: examples, labels and ids."""
    from service.client import Handful  # noqa: PLC0415
    from service.commands.transfer import export_clients  # noqa: PLC0415

    with Handful(url, api_key=key, timeout_s=TIMEOUT_S) as handful:
        export_clients(handful, clients or [], out)


def import_clients(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of files, as written by handful export.")],
    client: Annotated[str | None, typer.Option(help="Id of the client; by default that of the file name.")] = None,
    url: Url = "http://127.0.0.1:8000",
    key: Key = None,
) -> None:
    """Create or replace clients of a running service from files. They are adapted to their examples again."""
    from service.client import Handful  # noqa: PLC0415
    from service.commands.transfer import import_clients  # noqa: PLC0415

    with Handful(url, api_key=key, timeout_s=TIMEOUT_S) as handful:
        import_clients(handful, files, client)


def readapt(
    clients: Names = None,
    model: Annotated[str | None, typer.Option(help="Move the clients to this model.")] = None,
    url: Url = "http://127.0.0.1:8000",
    key: Key = None,
) -> None:
    """Adapt clients of a running service again whose checkpoint was replaced, or move them to another model."""
    from service.client import Handful  # noqa: PLC0415
    from service.commands.transfer import readapt_clients  # noqa: PLC0415

    with Handful(url, api_key=key, timeout_s=TIMEOUT_S) as handful:
        readapt_clients(handful, clients or [], model)


def add_to(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command("export")(export_clients)
    app.command("import")(import_clients)
    app.command()(readapt)
