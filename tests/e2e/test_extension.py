"""The example extension: installed beside Handful into a fresh environment, trained, evaluated and served."""

import json
import math
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "examples/extension"


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """The programs of a new environment with Handful and the extension. Their dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv")
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    handful, extension = folder / "handful", folder / "extension"
    for name in ("service", "models"):
        shutil.copytree(ROOT / name, handful / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, handful)
    shutil.copytree(EXTENSION, extension)
    python = folder / "venv/bin/python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    run([*install, "--no-index", "--no-deps", "--no-build-isolation", handful, extension], folder)
    return python.parent


@pytest.fixture(scope="module")
def trained(programs, tmp_path_factory) -> Path:
    """A folder with the extension's model, trained for a few steps."""
    folder = tmp_path_factory.mktemp("trained")
    run([programs / "handful", "train", "waveforms", "--steps", "20", "--every", "10", "--out", "."], folder)
    return folder


def run(command: list[str | Path], folder: Path) -> str:
    """Run a command without this process's PYTHONPATH. Returns its standard output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wave(harmonic: int, length: int, phase: float) -> list[float]:
    """One period of a wave with a strong harmonic."""
    turns = [2 * math.pi * i / length for i in range(length)]
    return [math.sin(turn) + 3 * math.sin(harmonic * turn + phase) for turn in turns]


def test_the_recipe_of_the_extension_is_listed_with_handfuls_own(programs, tmp_path):
    names = run([programs / "handful", "recipes"], tmp_path).split()
    assert {"glyphs", "waveforms"} <= set(names)


def test_training_writes_a_card_that_names_the_extension(trained):
    card = json.loads((trained / "waveforms.json").read_text())
    assert card["input"] == {"type": "series", "length": 64}
    assert card["training"]["command"] == "handful train waveforms --steps 20 --seed 0"
    spec = card["training"]["recipe"]["spec"]
    assert (spec["learner"], spec["encoder"]) == ("kernel-density", "spectrum")


def test_the_model_is_evaluated_on_the_dataset_of_the_extension(programs, trained):
    evaluate = "evaluate waveforms --models . --episodes 20 --json"
    accuracy = json.loads(run([programs / "handful", *evaluate.split()], trained))["figures"][0]
    assert accuracy["command"].startswith("handful evaluate waveforms --split test --ways 5")
    assert accuracy["mean"] > 0.5


def test_the_learner_of_the_extension_obeys_the_laws(programs):
    run([programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", EXTENSION / "tests"], EXTENSION)


def test_clients_adapt_and_ask_the_model_over_http(programs, trained, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    server = Server(tmp_path / "data", program=programs / "handful", models=str(trained), default_model="waveforms")
    support = [{"input": wave(h, 50 + 10 * h, 0.5), "label": f"harmonic {h}"} for h in (2, 3, 5)]
    queries = {f"harmonic {h}": wave(h, 200, 2.0) for h in (2, 3, 5)}
    server.start()
    try:
        adapted = httpx.post(f"{server.url}/adapt", json={"client_id": "a", "support": support}, timeout=60)
        assert adapted.status_code == 200, adapted.text
        answer = httpx.post(
            f"{server.url}/predict", json={"client_id": "a", "inputs": list(queries.values())}, timeout=60
        )
        refused = httpx.post(f"{server.url}/predict", json={"client_id": "a", "inputs": ["sine"]}, timeout=60)
    finally:
        server.stop()
    assert [one["label"] for one in answer.json()["predictions"]] == list(queries)
    assert refused.status_code == 422
    assert "must be a list of numbers" in refused.text
