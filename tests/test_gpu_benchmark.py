"""`make test-gpu`, on the CPU."""

import json

import numpy as np
import pytest

from benchmarks.gpu import checks, speed
from benchmarks.gpu.__main__ import run, steps
from service.cards import Catalogue
from service.settings import ZOO


@pytest.fixture
def cards():
    return dict(Catalogue(ZOO, "glyphs-protonet,sinusoid"))


def test_every_step_passes_on_the_cpu(cards, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    monkeypatch.setitem(speed.MATRIX, "cpu", 64)
    assert run(steps("cpu", cards, [1, 2]), tmp_path / "gpu.json", 600) == 0
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert results["over HTTP"] == dict.fromkeys(cards, "adapts and predicts")
    assert results["glyphs-protonet, cpu, bfloat16, 2 at once"]["adapts_s"] > 0


def test_a_failed_check_is_reported_and_the_others_run(cards, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "answers", lambda device, card, jobs: 1 / 0)
    first = (step for step, _ in zip(steps("cpu", cards, [1]), range(4), strict=False))
    assert run(first, tmp_path / "gpu.json", 600) == 1
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert results["agreement, sinusoid"].startswith("failed: ZeroDivisionError")
    assert "skipped" in results["out of memory"]


def test_devices_that_answer_differently_do_not_pass(cards, monkeypatch):
    answers = iter([[np.zeros((4, 5))], [np.zeros((4, 5))], [np.eye(5)[:4] * 9]])
    monkeypatch.setattr(checks, "answers", lambda *_, **__: next(answers))
    with pytest.raises(checks.CheckFailed, match="other device"):
        checks.agreement(None, None, cards["glyphs-protonet"])
