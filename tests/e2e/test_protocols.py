"""The page on files, streams and protocols: its commands give the answers that it shows."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.pages import commands, differences, documents
from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/protocols.md").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("protocols") / "data", serve="photos,texts,tables,glyphs,sinusoid")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the commands run: the examples are there, and what they write is not in the repository."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def test_the_commands_give_the_answers_shown(server, folder):
    for command, output in commands(PAGE):
        local = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        got = subprocess.run(["bash", "-c", local], cwd=folder, capture_output=True, text=True, check=True).stdout
        if output.lstrip().startswith(("{", "[")):
            assert differences(documents(output), documents(got)) == [], command
        else:
            assert got.strip() == output.strip(), command


def test_the_python_lines_run_and_give_the_label_shown(server, folder, monkeypatch):
    """They ask the client that the commands have taught."""
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for code in blocks:
        (shown,) = re.findall(r"^label = .*  # (.*)$", code, re.MULTILINE)
        names: dict = {}
        exec(code.replace("localhost:8000", f"127.0.0.1:{server.port}"), names)
        assert names["label"] == json.loads(shown)
    assert blocks


def test_each_command_of_the_page_is_run():
    assert len(commands(PAGE)) == PAGE.count("\n$ ") > 5
