"""Data of the user's own, and a tiny encoder."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from service.commands import calibrate
from tests.models.model_folders import make_text_folder
from tests.service.commands.own import handful

CLASSES = ("parcel", "refund", *"bcdefgh")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a tiny encoder of texts, and tickets of nine classes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    make_text_folder(tmp_path / "bert")
    texts = [(f"{a} {b} {word} {c}", word) for word, a, b, c in product(CLASSES, ("where", "i"), ("is", "want"), "?a")]
    lines = [f"{' '.join(text.split()[:2])},{' '.join(text.split()[2:])},{label}" for text, label in texts]
    (tmp_path / "tickets.csv").write_text("subject,body,queue\n" + "\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def added(folder) -> Path:
    handful("add tickets --encoder bert --learner logistic")
    return folder


@pytest.fixture
def prices(folder, monkeypatch) -> Path:
    """Rows whose price is a curved function of two columns; the city decides its level."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.2f},{'xy'[i % 2]},city {i % 6},{100 + 20 * (i % 6) + a**2 + 3 * (i % 2) + rng.normal(0, 0.2):.3f}"
        for i, a in enumerate(rng.uniform(-3, 3, 300))
    ]
    (folder / "prices.csv").write_text("area,kind,city,price\n" + "\n".join(rows) + "\n")
    monkeypatch.setattr(calibrate, "REGRESSION_EPISODES", 10)
    return folder
