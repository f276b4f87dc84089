"""The commands: `handful-client ...`, and `handful client ...` where the server is installed too."""

import typer

from handful.commands import transfer
from handful.commands.running import Commands

app = typer.Typer(
    cls=Commands, help="Teach and ask the clients of a running service.", no_args_is_help=True, add_completion=False
)
app.command("export")(transfer.export_clients)
app.command("import")(transfer.import_clients)
app.command()(transfer.readapt)


def main() -> None:
    """The console script."""
    app()
