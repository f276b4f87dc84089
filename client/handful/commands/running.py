"""What all commands share: the address and the key, exit codes, and one line for an error."""

from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from typer.core import TyperGroup

from handful.address import DEFAULT_URL
from handful.blocking import Handful
from handful.refusals import RefusedError

SOME_FAILED, REFUSED, AWAY = 1, 3, 4
"""Exit codes: some of several inputs or clients failed, the service refused a request, it is not reachable or
overloaded. 2 is a wrong argument or file."""
TEMPORARY = (408, 429, 500, 502, 503, 504)
TIMEOUT_S = 600

Url = Annotated[str, typer.Option(help="Address of the service.", envvar="HANDFUL_URL")]
Key = Annotated[str | None, typer.Option(help="API key of the tenant.", envvar="HANDFUL_KEY", show_envvar=True)]


class SomeFailed(Exception):
    """Some of several inputs or clients failed. The message names them."""


class Commands(TyperGroup):
    """A group of commands. An error is one line, and an exit code says of which kind it is."""

    def invoke(self, ctx: Any) -> Any:
        """Called by typer."""
        try:
            return super().invoke(ctx)
        except (RefusedError, httpx.HTTPError, httpx.InvalidURL, SomeFailed, ValueError, OSError) as error:
            Console(stderr=True).print(
                f"handful: {_line(error)}", style="red", markup=False, highlight=False, soft_wrap=True
            )
            raise typer.Exit(_code(error)) from None


def connect(url: str = DEFAULT_URL, key: str | None = None) -> Handful:
    """A client with the time-out of long jobs."""
    return Handful(url, api_key=key, timeout_s=TIMEOUT_S)


def _line(error: Exception) -> str:
    if isinstance(error, httpx.TransportError):
        return f"The service does not answer: {error}. Start it with handful serve, or name another one with --url."
    return str(error)


def _code(error: Exception) -> int:
    match error:
        case SomeFailed():
            return SOME_FAILED
        case RefusedError():
            return AWAY if error.status in TEMPORARY else REFUSED
        case httpx.HTTPError():
            return AWAY
    return 2


def card_of(handful: Handful, client: str, model: str | None = None) -> dict[str, Any]:
    """The card of a model, or of the model of a client. Raises ValueError if there is neither."""
    if model is not None:
        return handful.model(model)
    try:
        return handful.model(handful.client(client)["model"])
    except RefusedError as error:
        if error.code != "unknown_client":
            raise
        names = ", ".join(card["name"] for card in handful.models())
        raise ValueError(f"there is no client {client}; adapt one, with one of these models: {names}") from None
