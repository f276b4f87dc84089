"""The commands as typed in a shell."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli import main
from service.commands import calibrate

HANDFUL = (sys.executable, "-P", "-m", "service")


def handful(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HANDFUL, *command.split()], cwd=folder, capture_output=True, text=True, check=False)


def run(command: str, folder: Path, capture: pytest.CaptureFixture[str] | None = None) -> str:
    """Run a command in this process, which spares the imports, and return what it has printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["handful", *command.split()])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return capture.readouterr().out if capture else ""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A model of a short training, and of a short calibration, which takes longer than the training."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "REGRESSION_EPISODES", 5)
        run("train sinusoid --steps 20 --every 10", folder)
    return folder


def test_training_writes_the_checkpoint_the_card_and_the_curve(trained):
    card = json.loads((trained / "runs/sinusoid.json").read_text())
    assert card["training"]["command"] == "handful train sinusoid --steps 20 --seed 0"
    assert [step for step, _ in card["training"]["scores"]] == [10, 20]
    assert (trained / "runs/sinusoid.safetensors").stat().st_size > 0
    assert (trained / "runs/sinusoid.png").read_bytes().startswith(b"\x89PNG")


def test_the_seed_determines_the_figure_and_stands_in_its_command(trained, capsys):
    command = "evaluate sinusoid --models runs --split sinusoid --shots 5 --episodes 20 --json --seed"
    first = handful(f"{command} 3", trained).stdout
    second, other = (run(f"{command} {seed}", trained, capsys) for seed in (3, 4))
    assert first == second != other
    figure = json.loads(first)["figures"][0]
    assert (figure["metric"], figure["episodes"]) == ("mse", 20)
    assert (
        figure["command"] == "handful evaluate sinusoid --split sinusoid --shots 5 --queries 5 --episodes 20 --seed 3"
    )


def test_a_figure_recorded_twice_stands_in_the_card_once(trained):
    for _ in range(2):
        run("evaluate sinusoid --models runs --split sinusoid --episodes 5 --record", trained)
    figures = json.loads((trained / "runs/sinusoid.json").read_text())["figures"]
    assert [figure["metric"] for figure in figures] == ["mse", "mae"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train nothing", "no recipe is called 'nothing'"),
        ("train glyphs", "omniglot needs data: give --data omniglot.npz"),
        ("train glyphs-matching", "run handful train glyphs-protonet first"),
        ("evaluate sinusoid --models runs --dataset moons", "no dataset is called 'moons'"),
        ("evaluate sinusoid --models runs --dataset omniglot --data .", "sinusoid is for regression"),
        ("evaluate sinusoid --models runs --within", "sinusoid has no option 'within'"),
        ("evaluate sinusoid --models runs --split moons", "sinusoid has no split 'moons'"),
        ("evaluate nothing --models runs --split sinusoid", "no model 'nothing'; there are sinusoid"),
        ("train sinusoid --steps 30", "another recipe or seed"),
    ],
)
def test_a_wrong_argument_ends_with_a_one_line_message(trained, command, said, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    monkeypatch.setattr(sys, "argv", ["handful", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_data_folder_in_use_ends_with_a_one_line_message(trained):
    with (trained / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [*HANDFUL, "serve"],
            env=os.environ | {"HANDFUL_STORE_DIR": str(trained)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "HANDFUL_STORE_DIR" in done.stderr


def test_a_port_in_use_is_named_with_the_setting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = with_variable(tmp_path, "HANDFUL_PORT", port, "serve")
    assert done.returncode == 2
    assert done.stderr == f"handful: Port {port} is in use: stop what uses it, or set HANDFUL_PORT.\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HANDFUL_API_KEY", "secret", "The nearest name is HANDFUL_API_KEYS."),
        ("HANDFUL_API_KEYS", "secret", "HANDFUL_API_KEYS: Input should be a valid dictionary, written as JSON: '{"),
        (
            "HANDFUL_CORS_ORIGINS",
            "https://secret",
            "HANDFUL_CORS_ORIGINS: Input should be a valid list, written as JSON",
        ),
        ("HANDFUL_API_KEYS", '{"acme": "secret"}', "HANDFUL_API_KEYS: String should match pattern"),
        ("HANDFUL_PORT", "secret", "HANDFUL_PORT: Input should be a valid integer"),
        ("HANDFUL_MODELS", "/nowhere", "/nowhere has no model"),
    ],
)
def test_a_wrong_setting_is_one_line_without_its_value(tmp_path, name, value, said):
    done = with_variable(tmp_path, name, value)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("HANDFUL_API_KEYS", ""), ("HANDFUL_PORT", "tcp://10.0.0.1:8000"), ("HANDFUL_NATIVE", "0")]
)
def test_empty_and_foreign_variables_are_no_error(tmp_path, name, value):
    done = with_variable(tmp_path, name, value)
    assert done.returncode == 0, done.stderr


def with_variable(folder: Path, name: str, value: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HANDFUL, *(command or ("models", "--json"))],
        env=os.environ | {name: value},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
