"""The benchmark of one head for several kinds, on random features."""

import json

import torch

from benchmarks import any_features, figures, several_kinds


def kind(width: int) -> torch.Tensor:
    """Features (6, 20, width) of six classes."""
    generator = torch.Generator().manual_seed(width)
    centres = torch.randn(6, 1, width, generator=generator)
    return centres + 0.5 * torch.randn(6, 20, width, generator=generator)


def test_each_head_is_measured_on_each_kind_and_on_one_that_none_has_seen(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("")
    monkeypatch.setattr(figures, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results.json")
    for name, value in {"EPISODES": 2, "SHAPES": ((5, 1), (5, 5))}.items():
        monkeypatch.setattr(several_kinds, name, value)
    kinds = {"drawings": kind(16), "texts": kind(24), "photos": kind(32)}
    monkeypatch.setattr(several_kinds, "training_kinds", lambda *_: kinds)
    monkeypatch.setattr(several_kinds, "test_kinds", lambda *_: kinds | {"hands": kind(32)})
    monkeypatch.setattr(several_kinds, "shipped", lambda _: several_kinds.prototypes(kinds))
    several_kinds.main(["--data", "data", "--features", "features", "--steps", "3"])
    found = json.loads((tmp_path / "results.json").read_text())["kinds"]
    assert len(found["rows"]) == 5
    assert len(found["header"]) == 1 + 2 * 4
    assert all(row[1]["mean"] > 50 for row in found["rows"])


def test_the_head_that_ships_is_measured_beside_the_default(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("")
    monkeypatch.setattr(figures, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(any_features, "SHIPPED", tmp_path / "any_features.safetensors")
    monkeypatch.setattr(several_kinds, "EPISODES", 2)
    monkeypatch.setattr(several_kinds, "SHAPES", ((5, 1), (5, 5)))
    kinds = {"drawings": kind(16), "texts": kind(24), "photos": kind(2000)}
    monkeypatch.setattr(any_features, "training_kinds", lambda *_: kinds)
    monkeypatch.setattr(any_features, "test_kinds", lambda *_: kinds | {"hands": kind(2000)})
    monkeypatch.setattr(any_features, "minilm", lambda *_: kind(24))
    any_features.main(["--data", "data", "--features", "features", "--steps", "3"])
    rows = json.loads((tmp_path / "results.json").read_text())["added-heads"]["rows"]
    assert [row[1] for row in rows] == ["`ridge`", "`named-logistic`", "`named-logistic`", "`ridge`", "`ridge`"]
    assert all(row[2]["mean"] > 50 for row in rows)
    assert (tmp_path / "any_features.safetensors").stat().st_size < 2000
