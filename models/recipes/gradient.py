"""The models whose every weight, or some of them, is adapted to the client by gradient steps."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.recipes.drawings import CENTRED, drawings
from models.recipes.recipe import Recipe
from models.tasks.episode import Shape


def _gradient(learner: str, title: str, options: dict[str, Any], *, steps: int = 250, rate: float = 3e-4) -> Recipe:
    """Trained 20-way, so that one model takes 2 to 20 classes, from a prototypical encoder and a head of zeros."""
    return drawings(
        title,
        Spec(learner, "conv4", options, CENTRED),
        steps=steps,
        episode=Shape(20, 1, 3),
        tasks_per_step=4,
        rate=rate,
        start="glyphs-start",
    )


SLOTS: dict[str, Any] = {"outputs": 20}
ONE_STEP = SLOTS | {"rate": 5.0}
"""From a head of zeros the first step moves the head alone, and may be long."""
STEPS = SLOTS | {"rate": 0.1, "steps": 3}
"""The steps after it move the encoder too, which a rate of 1 destroys."""

GRADIENT: dict[str, Recipe] = {
    "glyphs-maml": _gradient("maml", "Every weight adapted, second order", ONE_STEP),
    "glyphs-fomaml": _gradient(
        "maml", "Every weight adapted, first order", ONE_STEP | {"first_order": True}, steps=100, rate=3e-5
    ),
    "glyphs-anil": _gradient("anil", "The head adapted", STEPS | {"rate": 0.3}),
    "glyphs-reptile": _gradient("reptile", "Every weight adapted, support and queries learned alike", STEPS),
    "glyphs-meta-sgd": _gradient("meta-sgd", "Every weight adapted at a learned rate of its own", ONE_STEP),
    "glyphs-maml-plus-plus": _gradient("maml++", "Every weight adapted at learned rates a layer and step", STEPS),
    "glyphs-proto-maml": _gradient(
        "proto-maml", "Prototypes, then every weight adapted: any number of classes", {"rate": 0.01}
    ),
    "glyphs-alfa": _gradient("alfa", "Rates and decay made from weights and gradients", STEPS),
    "glyphs-cavia": replace(
        _gradient("cavia", "A context vector adapted, to 5 classes", {"outputs": 5, "steps": 5}, steps=600, rate=1e-3),
        episode=Shape(5, 1, 5),
        validation_episode=Shape(5, 1, 5),
        tasks_per_step=8,
    ),
}
