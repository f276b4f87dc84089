"""The sessions of the README and of the quick start: their curl lines give their answers."""

import json
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
README, QUICK_START, TABLES = ((ROOT / page).read_text() for page in ("README.md", "docs/index.md", "docs/tables.md"))
MADE_UP = ("timings_ms", "created_at", "updated_at")
"""Fields that differ between runs."""


def session(page: str) -> list[tuple[str, str]]:
    """The `$ curl` lines of a page, each with the JSON below it."""
    return re.findall(r"^\$ (curl .*?)\n(\{.*?\})$\n^(?:```|$)", page, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("readme") / "data")
    running.start()
    yield running
    running.stop()


def test_the_readme_adapts_and_predicts_texts_and_drawings():
    assert [("adapt" in command, "predict" in command) for command, _ in session(README)] == [
        (True, False),
        (False, True),
    ] * 2


def test_the_quick_start_includes_the_session_of_the_readme_and_has_its_own():
    assert '--8<-- "README.md:session"' in QUICK_START
    assert len(session(QUICK_START)) == QUICK_START.count("\n$ ") == 9


def test_the_page_of_tables_adapts_and_predicts():
    assert len(session(TABLES)) == TABLES.count("\n$ ") == 2


def test_the_curl_lines_give_the_answers_shown(server):
    for command, answer in session(README) + session(QUICK_START) + session(TABLES):
        local = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        reply = subprocess.run(["bash", "-c", local], cwd=ROOT, capture_output=True, text=True, check=True)
        assert comparable(json.loads(reply.stdout)) == comparable(json.loads(answer))


def test_the_python_lines_run_and_give_the_label_shown(server):
    (code,) = re.findall(r"```python\n(.*?)```", QUICK_START, re.DOTALL)
    *lines, last = code.replace("localhost:8000", f"127.0.0.1:{server.port}").rstrip().split("\n")
    call, _, shown = last.strip().partition("  # ")
    names: dict = {}
    exec("\n".join([*lines, f"    label = {call}"]).replace("examples/", f"{ROOT}/examples/"), names)
    assert names["label"] == json.loads(shown)


def test_after_sigkill_a_client_is_answered_as_before(server):
    ask = {"url": f"{server.url}/predict", "json": {"client_id": "alice", "inputs": queries()}, "timeout": 60}
    before = httpx.post(**ask).json()
    server.stop(signal.SIGKILL)
    server.start()
    assert comparable(httpx.post(**ask).json()) == comparable(before)


def queries() -> list[str]:
    return json.loads((ROOT / "examples/predict.json").read_text())["inputs"]


def comparable(answer: dict) -> dict:
    """Without what differs from run to run, and without empty warnings; numbers to three digits."""
    kept = {name: value for name, value in answer.items() if name not in MADE_UP and (name, value) != ("warnings", [])}
    return json.loads(json.dumps(kept), parse_float=lambda number: pytest.approx(float(number), abs=1e-3))
