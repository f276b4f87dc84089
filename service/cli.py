"""The console script `handful`. Each command imports its code when it runs."""

from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from service import model_commands, operator_commands
from service.environment import PREFIX
from service.errors import HandfulError
from service.settings import Settings

app = typer.Typer(
    help="Teach a model from a handful of examples, per client, over REST.", no_args_is_help=True, add_completion=False
)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; else HANDFUL_HOST, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; else HANDFUL_PORT, else 8000.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Replicas; else HANDFUL_REPLICAS, else 1.")] = None,
    api_processes: Annotated[
        int | None, typer.Option(help="API processes of each replica; else HANDFUL_API_PROCESSES, else 1.")
    ] = None,
) -> None:
    """Serve the models over HTTP. Every setting is an environment variable: see docs/settings.md."""
    from service.process.serve import serve  # noqa: PLC0415

    given = {"host": host, "port": port, "replicas": replicas, "api_processes": api_processes}
    serve(Settings.model_validate({name: value for name, value in given.items() if value is not None}))


@app.command()
def api() -> None:
    """Run one API process. It needs a worker at HANDFUL_WORKER_SOCKET and a Redis at HANDFUL_REDIS_URL."""
    from service.process.api_main import run  # noqa: PLC0415

    run(Settings())


@app.command()
def worker() -> None:
    """Run one device worker, which listens at HANDFUL_WORKER_SOCKET."""
    from service.process.serve import serve_worker  # noqa: PLC0415

    serve_worker(Settings())


model_commands.add_to(app)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def client(context: typer.Context) -> None:
    """Teach and ask the clients of a running service: handful client --help. The same as handful-client."""
    _run_client(context.args, "handful client")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def mcp(context: typer.Context) -> None:
    """Serve the tools of Handful to agents by the Model Context Protocol: handful mcp --help."""
    _run_client(["mcp", *context.args], "handful")


def _run_client(arguments: list[str], name: str) -> None:
    """Run a command of the client, which is a distribution of its own."""
    try:
        from handful.commands.app import app as commands  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ValueError(f"{name} needs {error.name}: pip install 'handful-client[cli]'") from None
    commands(args=arguments, prog_name=name)


operator_commands.add_to(app)


def main() -> None:
    """The console script. Errors of the user are one line."""
    try:
        app()
    except (HandfulError, ValueError, OSError) as error:
        Console(stderr=True).print(
            f"handful: {_line(error)}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        raise SystemExit(2) from None


def _line(error: Exception) -> str:
    """The message of an error. For a setting it omits the value, which may be secret."""
    if not isinstance(error, ValidationError) or error.title != Settings.__name__:
        return str(error)
    found = [
        _wrong_setting(each["loc"], each["msg"] + AS_JSON.get(each["type"], ""))
        for each in error.errors(include_input=False)
    ]
    return "; ".join(dict.fromkeys(found))


AS_JSON = {
    "list_type": ', written as JSON: \'["FIRST", "SECOND"]\'',
    "dict_type": ', written as JSON: \'{"NAME": "VALUE"}\'',
}
"""How to write settings that are not plain text, by the type of pydantic's error."""


def _wrong_setting(location: tuple[int | str, ...], message: str) -> str:
    """The name of a setting and what is wrong. Keys of JSON objects are omitted, because they may be secret too."""
    if not location:  # an unknown variable, which belongs to no setting
        return message.removeprefix("Value error, ")
    setting, *within = location
    place = "".join(f"[{part}]" for part in within if isinstance(part, int))
    return f"{PREFIX}{str(setting).upper()}{place}: {message}"
