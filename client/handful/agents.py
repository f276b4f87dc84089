"""An MCP server for agents, over the client: adapt, predict, list, show and forget.

It needs the package mcp: pip install 'handful-client[mcp]'. Files are read only where the agent and the server share a
machine, over stdio, and only from one folder.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import httpx
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from handful.commands.sources import Form, labelled, unlabelled
from handful.event_loop import AsyncHandful
from handful.inputs import Text
from handful.refusals import RefusedError

INSTRUCTIONS = """Handful learns to classify from a few labelled examples, per client. First `list_models` to choose a
model by the kind of input. Then `adapt` with two or more labels and one to twenty examples each, and `predict`. To add
examples, adapt with append. `show_client` says how good a client is and which examples may have a wrong label."""

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

Input = str | float | list[Any] | dict[str, Any]
ClientId = Annotated[str, Field(description="Names the client: letters, digits and _ . ~ @ : + -")]
Model = Annotated[str | None, Field(description="A name of list_models. Default: that of the client.")]
Append = Annotated[bool, Field(description="Whether to add to the examples of the client instead of replacing them.")]
Abstain = Annotated[bool, Field(description="Whether to say which inputs are probably of no class.")]


class Example(BaseModel):
    """A labelled input."""

    input: Input = Field(description="A text, a number, a list of numbers, a row of a table, or an image in base64.")
    label: str | int | float


def agent_server(handful: AsyncHandful, folder: Path | None = None) -> MCPServer:
    """The MCP server.

    Args:
        handful: The client that it uses.
        folder: The folder whose files may be read; None: no file may be read.
    """
    server = MCPServer("handful", instructions=INSTRUCTIONS, version=_version(), log_level="WARNING")
    tools = _Tools(handful)
    for tool, annotations in (
        (tools.list_models, READS), (tools.list_clients, READS), (tools.show_client, READS), (tools.adapt, WRITES),
        (tools.predict, READS), (tools.forget, WRITES),
    ):  # fmt: skip
        server.add_tool(tool, annotations=annotations)
    if folder is not None:
        files = _FileTools(handful, folder.resolve())
        server.add_tool(files.adapt_files, annotations=WRITES)
        server.add_tool(files.predict_files, annotations=READS)
    return server


class _Tools:
    """The tools that need no file. Their docstrings are what the agent reads."""

    def __init__(self, handful: AsyncHandful) -> None:
        self._handful = handful

    async def list_models(self) -> list[dict[str, Any]]:
        """List the models, with the kind of input that each takes."""
        with refusals():
            cards = await self._handful.models()
        return [{name: card[name] for name in ("name", "title", "kind", "input", "max_ways")} for card in cards]

    async def list_clients(self, cursor: str | None = None) -> dict[str, Any]:
        """List the clients that were adapted, in pages: pass next_cursor as cursor for the next one."""
        with refusals():
            return await self._handful.clients(cursor=cursor)

    async def show_client(self, client_id: ClientId) -> dict[str, Any]:
        """Show a client, and how good it is by its own examples, each left out once."""
        with refusals():
            shown = await self._handful.client(client_id)
            return shown | {"quality": await self._handful.quality(client_id)}

    async def adapt(
        self, client_id: ClientId, examples: list[Example], model: Model = None, append: Append = False
    ) -> dict[str, Any]:
        """Teach a client from labelled examples. Without append, this replaces the examples that the client has."""
        pairs = [(_literal(each.input), each.label) for each in examples]
        with refusals():
            known = await _model_of(self._handful, client_id, model)
            mode: Any = "append" if append else "replace"
            return await self._handful.adapt(client_id, pairs, model=known, mode=mode)

    async def predict(self, client_id: ClientId, inputs: list[Input], abstain: Abstain = False) -> list[dict[str, Any]]:
        """Answer inputs from the adapted model of a client: a label with its probability, or a value."""
        with refusals():
            return list(await self._handful.predict(client_id, [_literal(one) for one in inputs], abstain=abstain))

    async def forget(self, client_id: ClientId) -> str:
        """Remove a client with all its examples and versions. This cannot be undone."""
        with refusals():
            await self._handful.forget(client_id)
        return f"{client_id} is forgotten."


class _FileTools:
    """The tools that read files of one folder."""

    def __init__(self, handful: AsyncHandful, folder: Path) -> None:
        self._handful, self._folder = handful, folder

    async def adapt_files(
        self,
        client_id: ClientId,
        path: Annotated[str, Field(description="A folder or zip of class folders, a CSV, TSV or JSON Lines file.")],
        model: Model = None,
        append: Append = False,
        label: Annotated[str | None, Field(description="The column of the labels of a table.")] = None,
    ) -> dict[str, Any]:
        """Teach a client from files: photos or .txt files in a folder for each label, or the rows of a table."""
        with refusals():
            known = await _model_of(self._handful, client_id, model)
            form = Form.of(await self._handful.model(known), None, label)
            where = self._within(path)
            items = await asyncio.to_thread(lambda: list(labelled(where, form)))
            mode: Any = "append" if append else "replace"
            return await self._handful.adapt(client_id, [each[1:] for each in items], model=known, mode=mode)

    async def predict_files(
        self,
        client_id: ClientId,
        paths: Annotated[list[str], Field(description="Photos, .txt files, folders, zips, CSV or JSON Lines files.")],
        abstain: Abstain = False,
    ) -> list[dict[str, Any]]:
        """Answer files from the adapted model of a client."""
        with refusals():
            form = Form.of(await self._handful.model(await _model_of(self._handful, client_id, None)), None, None)
            chosen = [self._within(path) for path in paths]
            items = await asyncio.to_thread(lambda: list(unlabelled(chosen, form)))
            found = await self._handful.predict(client_id, [item.input for item in items], abstain=abstain)
        return [{"source": item.source} | answer for item, answer in zip(items, found, strict=True)]

    def _within(self, path: str) -> Path:
        """A path in the folder. Raises ValueError for any other, also by links."""
        chosen = (self._folder / path).resolve()
        if not chosen.is_relative_to(self._folder):
            raise ValueError(f"{path}: only files in {self._folder} are read")
        return chosen


@contextmanager
def refusals() -> Iterator[None]:
    """Tell the agent what was wrong. Raises ToolError."""
    try:
        yield
    except (RefusedError, ValueError, OSError) as error:
        raise ToolError(str(error)) from None
    except httpx.HTTPError as error:
        raise ToolError(f"The service does not answer: {error}") from None


async def _model_of(handful: AsyncHandful, client_id: str, model: str | None) -> str:
    """The model that is named, or that of the client. Raises ValueError if there is neither."""
    if model is not None:
        return model
    try:
        return str((await handful.client(client_id))["model"])
    except RefusedError as error:
        if error.code != "unknown_client":
            raise
        raise ValueError(f"there is no client {client_id} yet: name a model of list_models") from None


def _literal(value: Input) -> Input:
    """An input as it is: a text is never the path of a file."""
    return Text(value) if isinstance(value, str) else value


def _version() -> str:
    try:
        return version("handful-client")
    except PackageNotFoundError:
        return ""
