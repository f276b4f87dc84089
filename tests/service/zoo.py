"""The models that these tests serve: the architectures of the zoo with fresh weights, and a card each."""

from dataclasses import replace
from pathlib import Path

import torch

from models import checkpoint
from models.checkpoint import Spec
from models.recipes import RECIPES, Recipe
from service.cards import Card

FIVE_WAYS = Spec("maml", "conv4", {"outputs": 5, "inner_lr": 2.0}, RECIPES["glyphs-maml"].spec.encoder_options)
TEMPERATURE = 0.5
ERRORS = {"unit": "value", "levels": [0.5, 0.99], "examples": [2], "quantiles": [[1.0, 8.0]]}
MODELS = {
    "glyphs": RECIPES["glyphs-protonet"],
    "glyphs-maml": replace(RECIPES["glyphs-maml"], spec=FIVE_WAYS),
    "sinusoid": RECIPES["sinusoid"],
}


def make_zoo(folder: Path, seed: int = 0) -> Path:
    """A folder of checkpoints and cards; another seed, other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name, recipe in MODELS.items():
            make_model(folder, name, recipe)
    return folder


def make_model(folder: Path, name: str, recipe: Recipe) -> None:
    """A checkpoint of fresh weights and its card."""
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
        "max_examples": learner.max_examples,
        "outputs": recipe.outputs,
        "deviations": learner.deviations,
        "several_labels": learner.several_labels,
        "weighted_examples": learner.weighted_examples,
        "transductive": learner.transductive,
        "temperature": 1.0 if recipe.outputs else TEMPERATURE,
        "errors": ERRORS if recipe.outputs else None,
        "training": {"command": "none: fresh weights"},
    }
    Card.model_validate(card).write(folder / f"{name}.json")
