"""The commands: `handful-client ...`, and `handful client ...` where the server is installed too."""

import typer

from handful.commands import agents, predicting, quality, teaching, transfer
from handful.commands.running import Commands

app = typer.Typer(
    cls=Commands, help="Teach and ask the clients of a running service.", no_args_is_help=True, add_completion=False
)
app.command()(teaching.adapt)
app.command()(predicting.predict)
app.command()(predicting.watch)
app.command()(teaching.evaluate)
app.command()(teaching.clients)
app.command()(teaching.forget)
app.command("export")(transfer.export_clients)
app.command("import")(transfer.import_clients)
app.command()(transfer.readapt)
app.command()(agents.mcp)
app.command()(quality.quality)


def main() -> None:
    """The console script."""
    app()
