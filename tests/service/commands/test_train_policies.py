"""handful train for a policy: by reinforcement, from the weights of imitation."""

import pytest

from models import checkpoint
from models.recipes import RECIPES
from models.training import reinforced_run
from service.cards import Card
from service.commands import train


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(reinforced_run, "VALIDATION_TASKS", 2)
    monkeypatch.setattr(train, "calibrate", lambda *given, **options: None)


def trained(folder):
    train.train("navigate-rl2", None, steps=1, out=folder, every=1, seed=0, device="cpu", threads=1)


def test_a_policy_is_trained_by_reinforcement_from_the_weights_of_imitation(tmp_path):
    spec = RECIPES["navigate-rl2-start"].spec
    start = checkpoint.build(spec).state_dict()
    checkpoint.save(tmp_path / "navigate-rl2-start.safetensors", spec, start)
    trained(tmp_path)
    card = Card.read(tmp_path / "navigate-rl2.json")
    own = "handful train navigate-rl2 --steps 1 --seed 0"
    assert card.training["command"] == f"handful train navigate-rl2-start --seed 0 && {own}"
    assert card.training["recipe"]["trials"]["rounds"] == 3
    assert (tmp_path / "navigate-rl2.png").exists()
    weights, _ = checkpoint.read(tmp_path / "navigate-rl2.safetensors")
    moved = [(weights[name] - start[name]).abs().max().item() for name in weights]
    assert 0 < max(moved) < 0.01


def test_without_the_weights_of_imitation_the_error_names_the_command_that_makes_them(tmp_path):
    with pytest.raises(ValueError, match="run handful train navigate-rl2-start first"):
        trained(tmp_path)
