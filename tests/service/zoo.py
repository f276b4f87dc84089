"""The models that these tests serve: the architectures of the zoo with fresh weights, and a card each."""

from pathlib import Path

import torch

from models import checkpoint
from models.recipes import RECIPES
from service.cards import Card

MODELS = ("glyphs", "glyphs-maml", "sinusoid")


def make_zoo(folder: Path, seed: int = 0) -> Path:
    """A folder of checkpoints and cards; another seed, other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name in MODELS:
            _make(folder, name)
    return folder


def _make(folder: Path, name: str) -> None:
    recipe = RECIPES[name]
    learner = checkpoint.build(recipe.spec)
    checkpoint.save(folder / f"{name}.safetensors", recipe.spec, learner.state_dict())
    card = {
        "name": name,
        "title": recipe.title,
        "algorithm": learner.algorithm,
        "paper": learner.paper,
        "kind": learner.kind.value,
        "input": recipe.input,
        "max_ways": learner.max_ways,
        "outputs": recipe.outputs,
        "training": {"command": "none: fresh weights"},
    }
    Card.model_validate(card).write(folder / f"{name}.json")
