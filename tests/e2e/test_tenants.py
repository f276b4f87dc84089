"""The operator's walk of the guide: its commands print what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tenants.md").read_text()
MARK = "=== the next command ==="


def walk() -> list[tuple[str, str]]:
    """The commands of the walk, each with what the page shows below it."""
    text = PAGE.partition("## An operator's walk")[2]
    blocks = "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL))
    return [(command, shown) for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks, re.MULTILINE)]


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path / "data", auth="keys", serve="glyphs")
    running.start()
    yield running
    running.stop()


def test_the_commands_of_the_walk_print_what_the_page_shows(server, tmp_path):
    local = {"localhost:8000": f"127.0.0.1:{server.port}", "answer.json": "/dev/null", "flood.txt": f"{tmp_path}/flood"}
    script = [f'handful() {{ {sys.executable} -P -m service "$@"; }}']
    for command, _ in walk():
        for shown, meant in local.items():
            command = command.replace(shown, meant)  # noqa: PLW2901
        script += [f"echo '{MARK}'", command]
    environment = os.environ | {"HANDFUL_STORE_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(script)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"{MARK}\n")[1:]
    assert len(printed) == len(walk()) == PAGE.count("\n$ ")
    for (command, shown), found in zip(walk(), printed, strict=True):
        pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".+")
        assert re.fullmatch(pattern, found.strip()), f"{command}\n{found}"
