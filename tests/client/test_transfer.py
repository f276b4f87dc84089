"""handful client export, import and readapt against a real service."""

import json

import pytest
from typer.testing import CliRunner

from handful import Handful
from handful.client_file import parts
from service.cli import app
from service.settings import Settings
from tests.service.drawings import letters, png
from tests.service.serving import serving, working
from tests.service.zoo import make_zoo

IDS = ["alice", "bob@shop", "carol:1"]


@pytest.fixture
def clients(api):
    for number, name in enumerate(IDS):
        support = letters("LVZ"[: 2 + number % 2], 2 + number)
        api.post("/adapt", json={"client_id": name, "support": support}).raise_for_status()
    return api


def run(api, *arguments: str):
    return CliRunner().invoke(app, ["client", *arguments, "--url", str(api.base_url)])


def answers(api) -> dict[str, list]:
    asked = {name: api.post("/predict", json={"client_id": name, "inputs": [png("V")]}) for name in IDS}
    return {name: answer.raise_for_status().json()["predictions"] for name, answer in asked.items()}


def test_all_clients_are_exported_and_imported(clients, tmp_path):
    before = answers(clients)
    done = run(clients, "export", "--out", str(tmp_path / "out"))
    assert (done.exit_code, "3 of 3 clients exported" in done.stdout) == (0, True)
    assert len(list((tmp_path / "out").iterdir())) == 3
    for name in IDS:
        clients.delete(f"/clients/{name}").raise_for_status()
    assert run(clients, "import", str(tmp_path / "out")).exit_code == 0
    for name, predictions in answers(clients).items():
        assert predictions[0]["probabilities"] == pytest.approx(before[name][0]["probabilities"], abs=1e-5)


def test_one_client_is_exported_and_imported_under_another_name(clients, tmp_path):
    assert run(clients, "export", "alice", "--out", str(tmp_path)).exit_code == 0
    [file] = tmp_path.iterdir()
    assert run(clients, "import", str(file), "--client", "dora").exit_code == 0
    assert clients.get("/clients/dora").json()["classes"] == ["L", "V"]


def test_what_fails_is_named_and_the_others_are_done(clients, tmp_path):
    done = run(clients, "export", "alice", "nobody", "--out", str(tmp_path))
    assert done.exit_code == 1
    assert "nobody: 404 unknown_client" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["alice.safetensors"]


def test_a_large_file_is_sent_in_parts_that_are_files_of_their_own(clients, tmp_path):
    run(clients, "export", "carol:1", "--out", str(tmp_path))
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    assert list(parts(whole, len(whole))) == [whole]
    fewer = list(parts(whole, len(whole) // 3))
    assert len(fewer) >= 3
    with Handful(str(clients.base_url)) as handful:
        for number, part in enumerate(fewer):
            handful.restore("dora", part, mode="append" if number else "replace")
        shown = [handful.examples(name, inputs=True)["examples"] for name in ("carol:1", "dora")]
    assert shown[0] == shown[1]


def test_readapt_makes_the_states_of_a_replaced_checkpoint(clients, settings: Settings, tmp_path):
    newer = settings.model_copy(update={"models": make_zoo(tmp_path / "newer", seed=1)})
    with working(newer) as worker, serving(newer, worker) as renewed:
        assert "3 clients were adapted again" in run(renewed, "readapt").stdout
        assert "0 clients were adapted again" in run(renewed, "readapt").stdout
        assert "1 clients were adapted again" in run(renewed, "readapt", "alice", "--model", "glyphs-maml").stdout
        assert renewed.get("/clients/alice").json()["model"] == "glyphs-maml"


def test_readapt_compares_the_quality_with_that_before_the_checkpoint_was_replaced(
    clients, settings: Settings, tmp_path
):
    file = tmp_path / "before.json"
    assert "3 of 3 clients judged" in run(clients, "quality", "--out", str(file)).stdout
    newer = settings.model_copy(update={"models": make_zoo(tmp_path / "newer", seed=1)})
    with working(newer) as worker, serving(newer, worker) as renewed:
        shown = run(renewed, "readapt", "--before", str(file)).stdout
        estimate = renewed.get("/clients/alice/quality").json()["estimate"]["accuracy"]
    before = json.loads(file.read_text())["alice"]["accuracy"]
    assert f"alice: accuracy {before:.4g} before, {estimate:.4g} after" in shown
    assert "mean accuracy of 3 clients" in shown


def test_a_move_compares_the_quality_of_both_models(clients):
    shown = run(clients, "readapt", "bob@shop", "--model", "glyphs-maml", "--compare").stdout
    assert "bob@shop: accuracy" in shown
    assert run(clients, "readapt", "--compare").exit_code == 2
