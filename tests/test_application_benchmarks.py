"""The benchmarks of docs/applications.md: each runs small, and the page shows the results that are stored."""

import json
import shutil

import numpy as np
import pytest
import torch

from benchmarks import (
    curves,
    figures,
    learned_optimiser,
    molecule_properties,
    navigation,
    navigation_curve,
    nodes,
)
from benchmarks.figures import Figure, Table
from models import checkpoint, update_rule
from models.datasets.molecule_properties import Property
from models.molecules import PROPERTIES
from models.recipes.navigate import IMITATION
from service.cards import Card
from service.settings import ZOO

NAMES = ("curves", "kernels", "nodes", "navigation", "navigation-curve", "optimisers", "molecule-properties")


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Where a benchmark writes, in place of docs/."""
    page = tmp_path / "page.md"
    page.write_text("".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in NAMES))
    monkeypatch.setattr(figures, "PAGE", page)
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


def rows_of(results, name):
    return json.loads(results.read_text())[name]["rows"]


def test_the_page_shows_the_stored_results():
    text = figures.PAGE.read_text()
    assert figures.page(text, figures.RESULTS) == text


def test_tables_are_kept_beside_those_of_other_benchmarks(results):
    figures.publish({"curves": Table(["a"], [[Figure(1.2345, 0.5)]])})
    figures.publish({"nodes": Table(["b"], [["text"]])})
    assert rows_of(results, "curves") == [[{"mean": 1.2345, "ci95": 0.5, "digits": 2}]]
    assert "| 1.23 ± 0.50 |" in figures.PAGE.read_text()
    assert "| text |" in figures.PAGE.read_text()


def test_curves_are_measured_beside_the_exact_process(results):
    curves.main(["--curves", "3"])
    errors = {(row[0], row[1]): row[2]["mean"] for row in rows_of(results, "curves")}
    models = {name for _, name in errors}
    assert {"`curves`", "`curves-cnp`", "`curves-maml`"} < models
    assert all(
        errors["30", name] > errors["30", "exact Gaussian process, known kernel"] for name in models if "`" in name
    )
    maml = next(row for row in rows_of(results, "curves") if row[1] == "`curves-maml`")
    assert maml[3] == ""  # it has no standard deviations, so no likelihood


@pytest.fixture
def starts(tmp_path):
    """A folder with policies by imitation, which know nothing."""
    for name, recipe in IMITATION.items():
        weights = checkpoint.build(recipe.spec).state_dict()
        checkpoint.save(tmp_path / f"{name}.safetensors", recipe.spec, weights)
    return str(tmp_path)


def test_policies_are_measured_beside_one_for_all_goals(results, starts):
    navigation.main(["--goals", "2", "--steps", "2", "--starts", starts])
    found = {name: [each["mean"] for each in rest] for name, *rest in rows_of(results, "navigation")}
    assert all(
        max(each) < found["the best actions, goal known"][0] for name, each in found.items() if "best" not in name
    )
    assert len(set(found["one policy for all goals, not adapted"])) == 1


def test_policies_are_measured_after_gradient_steps(results, starts):
    navigation_curve.main(["--goals", "2", "--starts", starts])
    found = {name: [each["mean"] for each in rest] for name, *rest in rows_of(results, "navigation-curve")}
    assert found["`navigate-maml`, an adapt each"][3] > found["`navigate-maml`, an adapt each"][0]
    assert len(set(found["the best actions, goal known"])) == 1


def test_nodes_are_measured_on_both_graphs(results, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(nodes, "SHOTS", (1,))
    for name in nodes.GRAPHS:
        label = np.arange(60) % 2
        words = np.eye(4, dtype=np.uint8)[label + 2 * rng.integers(0, 2, 60)]
        edges = np.stack([np.arange(60), (np.arange(60) + 2) % 60]).astype(np.int32)
        arrays = {"features": np.packbits(words, axis=1), "n_features": 4, "edges": edges, "label": label}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    nodes.main(["--data", str(tmp_path), "--draws", "2"])
    assert {row[0] for row in rows_of(results, "nodes")} > {"`nodes`", "SGC and logistic regression"}


def test_properties_of_molecules_are_measured_beside_the_baselines(results, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    counts = np.log1p(rng.binomial(2, 0.02, (80, 1024)))
    inputs = np.hstack([counts, rng.normal(2, 1, (80, len(PROPERTIES)))]).astype(np.float32)
    made = Property("made", inputs, inputs[:, -1])
    for path in ZOO.glob("molecules-regression.*"):
        shutil.copy(path, tmp_path)
    for name, value in {"SPLITS": ("esol",), "SHOTS": (20,), "CARD": tmp_path / "molecules-regression.json"}.items():
        monkeypatch.setattr(molecule_properties, name, value)
    monkeypatch.setattr(molecule_properties, "properties_of", lambda *_: [made])
    molecule_properties.main(["--data", "data", "--draws", "2"])
    [own, *others] = rows_of(results, "molecule-properties")
    assert own[:3] == ["made", "20", "`molecules-regression`"]
    assert len(others) == 2
    settings = {(each.setting, each.metric) for each in Card.read(molecule_properties.CARD).figures}
    assert {("made, 20 molecules", "rmse"), ("made, 20 molecules", "mae")} <= settings


def test_the_optimiser_is_trained_and_measured_beside_those_with_the_best_rates(results, tmp_path, monkeypatch):
    classes = 20 * torch.eye(25).unsqueeze(1) + torch.randn(25, 12, 25, generator=torch.Generator().manual_seed(0))
    for name, value in {"STEPS": 2, "EVALUATED": 2, "TUNED": 2, "RATES": (0.01, 0.1)}.items():
        monkeypatch.setattr(learned_optimiser, name, value)
    monkeypatch.setattr(learned_optimiser, "split_drawings", lambda *_: (None, classes))
    monkeypatch.setattr(update_rule.save, "__defaults__", (tmp_path / "rule.safetensors",))
    before = update_rule.shipped()
    learned_optimiser.main(["--data", "data", "--features", "features", "--train"])
    assert (tmp_path / "rule.safetensors").exists()
    assert all(torch.equal(value, before[name]) for name, value in update_rule.shipped().items())
    assert [row[0] for row in rows_of(results, "optimisers")] == ["learned", "SGD, best rate", "Adam, best rate"]
