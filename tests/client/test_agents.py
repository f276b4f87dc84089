"""The MCP server, asked by the client of the package mcp."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters

from handful import AsyncHandful
from handful.agents import agent_server
from tests.e2e.server import free_port
from tests.service.drawings import draw, letters, png

TOOLS = {"list_models", "list_clients", "show_client", "adapt", "predict", "forget"}
pytestmark = pytest.mark.anyio


def content(result: Any) -> Any:
    """What a tool has answered."""
    assert not result.is_error, result.content
    found = result.structured_content
    return found["result"] if set(found) == {"result"} else found


@pytest.fixture
def drawings(tmp_path) -> Path:
    for letter in "LV":
        (tmp_path / "signs" / letter).mkdir(parents=True)
        draw(letter).save(tmp_path / "signs" / letter / "1.png")
    return tmp_path


async def test_an_agent_teaches_asks_and_forgets(api):
    async with AsyncHandful(str(api.base_url)) as handful, Client(agent_server(handful)) as agent:
        assert {tool.name for tool in (await agent.list_tools()).tools} == TOOLS
        models = content(await agent.call_tool("list_models", {}))
        assert "glyphs" in [model["name"] for model in models]
        taught = {"client_id": "alice", "examples": letters("LV"), "model": "glyphs"}
        assert content(await agent.call_tool("adapt", taught))["classes"] == ["L", "V"]
        asked = {"client_id": "alice", "inputs": [png("V")]}
        assert content(await agent.call_tool("predict", asked))[0]["label"] == "V"
        more = {"client_id": "alice", "examples": letters("Z"), "append": True}
        assert content(await agent.call_tool("adapt", more))["classes"] == ["L", "V", "Z"]
        shown = content(await agent.call_tool("show_client", {"client_id": "alice"}))
        assert (shown["examples"], shown["quality"]["examples"]) == (6, 6)
        assert len(content(await agent.call_tool("list_clients", {}))["clients"]) == 1
        await agent.call_tool("forget", {"client_id": "alice"})
        assert content(await agent.call_tool("list_clients", {}))["clients"] == []


async def test_what_destroys_is_marked(api):
    async with AsyncHandful(str(api.base_url)) as handful, Client(agent_server(handful, Path())) as agent:
        hints = {tool.name: tool.annotations for tool in (await agent.list_tools()).tools}
    assert {name for name, hint in hints.items() if hint.destructive_hint} == {"adapt", "adapt_files", "forget"}
    assert {name for name, hint in hints.items() if hint.read_only_hint} == TOOLS - {"adapt", "forget"} | {
        "predict_files"
    }


async def test_an_agent_reads_what_was_wrong(api):
    async with AsyncHandful(str(api.base_url)) as handful, Client(agent_server(handful)) as agent:
        refused = await agent.call_tool("predict", {"client_id": "nobody", "inputs": ["x"]})
        assert refused.is_error
        assert "unknown_client" in refused.content[0].text
        refused = await agent.call_tool("adapt", {"client_id": "nobody", "examples": []})
        assert "name a model of list_models" in refused.content[0].text


async def test_a_text_that_is_the_path_of_a_file_is_not_read(api, drawings):
    async with AsyncHandful(str(api.base_url)) as handful, Client(agent_server(handful)) as agent:
        examples = [{"input": str(drawings / "signs" / name / "1.png"), "label": name} for name in "LV"]
        refused = await agent.call_tool("adapt", {"client_id": "alice", "examples": examples, "model": "glyphs"})
    assert refused.is_error


async def test_files_of_one_folder_are_read_and_no_others(api, drawings):
    folder = drawings / "signs"
    (folder / "link").symlink_to(drawings)
    draw("V").save(drawings / "outside.png")
    async with AsyncHandful(str(api.base_url)) as handful, Client(agent_server(handful, folder)) as agent:
        taught = await agent.call_tool("adapt_files", {"client_id": "alice", "path": ".", "model": "glyphs"})
        assert content(taught)["classes"] == ["L", "V"]
        found = content(await agent.call_tool("predict_files", {"client_id": "alice", "paths": ["V/1.png"]}))
        assert (found[0]["source"], found[0]["label"]) == (str(folder / "V/1.png"), "V")
        for path in ("../outside.png", str(drawings / "outside.png"), "link/outside.png"):
            refused = await agent.call_tool("predict_files", {"client_id": "alice", "paths": [path]})
            assert "only files in" in refused.content[0].text


async def test_over_stdio_the_command_serves_the_tools_and_files(api, drawings):
    command = ["-m", "service", "mcp", "--folder", str(drawings), "--url", str(api.base_url)]
    how = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    async with Client(how) as agent:
        assert {tool.name for tool in (await agent.list_tools()).tools} == TOOLS | {"adapt_files", "predict_files"}
        taught = await agent.call_tool("adapt_files", {"client_id": "alice", "path": "signs", "model": "glyphs"})
        assert content(taught)["examples"] == 2


@pytest.fixture
def agents_over_http(api):
    """The address of the server of a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "handful", "mcp", "--http", "--port", str(port), "--url", str(api.base_url)]
    with subprocess.Popen(command) as running:
        try:
            while running.poll() is None and not listens(port):
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            running.kill()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_over_http_no_file_can_be_named(agents_over_http):
    async with Client(agents_over_http) as agent:
        assert {tool.name for tool in (await agent.list_tools()).tools} == TOOLS
    async with httpx.AsyncClient() as browser:
        elsewhere = await browser.post(agents_over_http, headers={"host": "evil.example"}, json={})
    assert elsewhere.status_code in (403, 421)
