"""handful client ... against a real service."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handful.commands import predicting
from handful.commands.predicting import arrivals
from service.cli import app
from tests.service.drawings import draw


def run(api, *arguments: object, **options):
    return CliRunner().invoke(app, ["client", *map(str, arguments), "--url", str(api.base_url)], **options)


@pytest.fixture
def drawings(tmp_path) -> Path:
    """Folders L and V with two drawings each."""
    for letter in "LV":
        (tmp_path / "signs" / letter).mkdir(parents=True)
        for number in range(2):
            draw(letter, shift=number).save(tmp_path / "signs" / letter / f"{number}.png")
    return tmp_path / "signs"


@pytest.fixture
def adapted(api, drawings):
    done = run(api, "adapt", "alice", drawings, "--model", "glyphs")
    assert done.exit_code == 0, done.stderr
    return api


def rows(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_adapt_says_what_was_sent(api, drawings):
    done = run(api, "adapt", "alice", drawings, "--model", "glyphs", "--quality")
    assert "version 1 of glyphs, 4 examples" in done.stdout
    assert "L 2, V 2" in done.stdout
    assert "accuracy" in done.stdout
    again = run(api, "adapt", "alice", drawings, "--append", "--json")
    assert json.loads(again.stdout)["examples"] == 4


def test_adapt_of_an_unknown_client_names_the_models(api, drawings):
    done = run(api, "adapt", "alice", drawings)
    assert (done.exit_code, "glyphs-maml" in done.stderr) == (2, True)


def test_predict_writes_a_table(adapted, drawings, tmp_path):
    done = run(adapted, "predict", "alice", drawings / "V", drawings / "L/0.png", "--out", tmp_path / "out.csv")
    assert (done.exit_code, "3 answers, 0 failed" in done.stderr) == (0, True)
    found = rows(tmp_path / "out.csv")
    assert [(row["source"], row["label"]) for row in found] == [
        (str(drawings / "V/0.png"), "V"),
        (str(drawings / "V/1.png"), "V"),
        (str(drawings / "L/0.png"), "L"),
    ]


def test_a_text_file_that_is_not_utf8_is_named_and_left_out(adapted, drawings, tmp_path):
    (drawings / "V" / "bad.txt").write_bytes(b"tr\xe8s tard")
    done = run(adapted, "predict", "alice", drawings / "V", "--out", tmp_path / "out.csv")
    assert (done.exit_code, len(rows(tmp_path / "out.csv"))) == (1, 2)
    assert "bad.txt: is not UTF-8. Save it as UTF-8" in done.stderr


def test_predict_prints_json_lines(adapted, drawings):
    done = run(adapted, "predict", "alice", drawings / "V", "--top-k", 1, "--min-probability", 0.1)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["label"], len(each["probabilities"]), each["unknown"]) for each in found] == [("V", 1, False)] * 2


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_predict_goes_on_where_it_was_interrupted(adapted, drawings, tmp_path, monkeypatch, name):
    monkeypatch.setattr(predicting, "CHUNK", 1)
    out = tmp_path / name
    run(adapted, "predict", "alice", drawings, "--out", out)
    whole = out.read_text()
    lines = whole.splitlines(keepends=True)
    out.write_text("".join(lines[:-2]) + lines[-2][: len(lines[-2]) // 2])
    adapted.patch("/clients/alice/classes/V", json={"label": "W"}).raise_for_status()
    done = run(adapted, "predict", "alice", drawings, "--out", out)
    assert "2 answers, 2 of an earlier run, 0 failed" in done.stderr
    labels = [json.loads(line)["label"] for line in whole.splitlines()] if name.endswith("jsonl") else []
    assert out.read_text().count("V") == whole.count("V")
    assert len(out.read_text().splitlines()) == len(lines)
    assert "W" not in labels


def test_predict_names_what_fails_and_answers_the_others(adapted, drawings, tmp_path):
    (drawings / "V/broken.png").write_bytes(b"no image")
    done = run(adapted, "predict", "alice", drawings, "--out", tmp_path / "out.csv")
    assert done.exit_code == 1
    assert "V/broken.png: " in done.stderr
    assert len(rows(tmp_path / "out.csv")) == 4
    (drawings / "V/broken.png").unlink()
    assert run(adapted, "predict", "alice", drawings, "--out", tmp_path / "out.csv").exit_code == 0


def test_predict_does_not_touch_a_file_of_others(adapted, drawings, tmp_path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    done = run(adapted, "predict", "alice", drawings, "--out", tmp_path / "notes.csv")
    assert (done.exit_code, "--restart" in done.stderr) == (2, True)
    assert (tmp_path / "notes.csv").read_text() == "a,b\n1,2\n"


def test_a_regression_is_taught_and_asked_by_tables(api, tmp_path):
    (tmp_path / "wave.csv").write_text("x,target\n" + "".join(f"{x},{x / 2}\n" for x in range(5)))
    assert run(api, "adapt", "wave", tmp_path / "wave.csv", "--model", "sinusoid").exit_code == 0
    done = run(api, "predict", "wave", tmp_path / "wave.csv", "--out", tmp_path / "out.csv")
    assert done.exit_code == 0, done.stderr
    assert [row["source"] for row in rows(tmp_path / "out.csv")] == [f"{tmp_path}/wave.csv:{i}" for i in range(1, 6)]
    assert all(float(row["value"]) for row in rows(tmp_path / "out.csv"))
    assert "mse" in run(api, "evaluate", "wave", tmp_path / "wave.csv").stdout


def test_evaluate_fails_below_an_accuracy(adapted, drawings):
    assert run(adapted, "evaluate", "alice", drawings, "--min-accuracy", 0.9).exit_code == 0
    (drawings / "V").rename(drawings / "X")
    (drawings / "L").rename(drawings / "V")
    (drawings / "X").rename(drawings / "L")
    done = run(adapted, "evaluate", "alice", drawings, "--min-accuracy", 0.9)
    assert (done.exit_code, "2 of L answered as V" in done.stdout) == (1, True)


def test_clients_are_listed_shown_and_forgotten(adapted):
    assert "alice" in run(adapted, "clients").stdout
    assert [json.loads(line)["model"] for line in run(adapted, "clients", "--json").stdout.splitlines()] == ["glyphs"]
    assert json.loads(run(adapted, "clients", "alice").stdout)["quality"]["examples"] == 4
    assert run(adapted, "forget", "alice", input="n\n").exit_code == 1
    assert run(adapted, "forget", "alice", "--yes").exit_code == 0
    assert run(adapted, "clients", "alice").exit_code == 3


def test_a_service_that_is_away_has_an_exit_code_of_its_own(monkeypatch):
    monkeypatch.setattr("handful.blocking.time.sleep", lambda _: None)
    done = CliRunner().invoke(app, ["client", "clients", "--url", "http://127.0.0.1:9"])
    assert (done.exit_code, "does not answer" in done.stderr) == (4, True)


def test_watch_answers_files_as_they_come(adapted, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    draw("L", shift=3).save(inbox / "first.png")
    command = [sys.executable, "-m", "handful", "watch", "alice", inbox, "--every-s", "0.05", "--url", adapted.base_url]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as running:
        try:
            assert json.loads(running.stdout.readline())["label"] == "L"
            draw("V", shift=3).save(inbox / "second.png")
            line = json.loads(running.stdout.readline())
            assert (line["source"], line["label"]) == (str(inbox / "second.png"), "V")
        finally:
            running.kill()


def test_a_file_arrives_once_it_is_whole_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(predicting.time, "sleep", lambda _: None)
    looks = arrivals(tmp_path, 1)
    assert next(looks) == []
    path = tmp_path / "a.txt"
    path.write_text("la")
    assert next(looks) == []
    path.write_text("late")
    assert next(looks) == []
    assert next(looks) == [path]
    assert next(looks) == []
    path.write_text("later")
    assert (next(looks), next(looks)) == ([], [path])
