"""The README's session: its curl lines give its answers."""

import json
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
SESSION = re.findall(r"^\$ (curl .*?)\n(\{.*?\})$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("readme") / "data")
    running.start()
    yield running
    running.stop()


def test_the_session_has_an_adapt_and_a_predict_of_signs_and_of_a_wave():
    assert [("adapt" in command, "predict" in command) for command, _ in SESSION] == [(True, False), (False, True)] * 2


def test_curl_lines_give_the_answers_of_the_readme(server):
    for command, answer in SESSION:
        local = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        reply = subprocess.run(["bash", "-c", local], cwd=ROOT, capture_output=True, text=True, check=True)
        assert json.loads(reply.stdout).keys() == json.loads(answer).keys()
        assert comparable(json.loads(reply.stdout)) == comparable(json.loads(answer))


def test_after_sigkill_a_client_is_answered_as_before(server):
    ask = {"url": f"{server.url}/predict", "json": {"client_id": "alice", "inputs": queries()}, "timeout": 60}
    before = httpx.post(**ask).json()
    server.stop(signal.SIGKILL)
    server.start()
    assert comparable(httpx.post(**ask).json()) == comparable(before)


def queries() -> list[str]:
    return json.loads((ROOT / "examples/predict.json").read_text())["inputs"]


def comparable(answer: dict) -> dict:
    """Without what differs from run to run; numbers to three digits."""
    answer.pop("timings_ms")
    return json.loads(json.dumps(answer), parse_float=lambda number: pytest.approx(float(number), abs=1e-3))
