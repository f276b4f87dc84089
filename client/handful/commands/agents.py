"""mcp: the server for agents."""

from pathlib import Path
from typing import Annotated

import typer

from handful.address import DEFAULT_URL
from handful.commands.running import TIMEOUT_S, Key, Url
from handful.event_loop import AsyncHandful


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Speak streamable HTTP on this machine, not stdio.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for --http; the path is /mcp.")] = 8001,
    folder: Annotated[
        Path, typer.Option(help="Folder whose files the agent may name, over stdio.", exists=True, file_okay=False)
    ] = Path(),
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Serve the tools of Handful to agents by the Model Context Protocol."""
    try:
        from handful.agents import agent_server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ValueError(f"handful mcp needs {error.name}: pip install 'handful-client[mcp]'") from None
    handful = AsyncHandful(url, api_key=key, timeout_s=TIMEOUT_S)
    if http:
        agent_server(handful).run("streamable-http", host="127.0.0.1", port=port, stateless_http=True)
    else:
        agent_server(handful, folder).run("stdio")
