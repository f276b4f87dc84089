"""Models that adapt all or some weights to the client by gradient steps."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.drawings import CENTRED, drawings
from models.recipes.recipe import Recipe

LONG = CENTRED | {"scale": 8.0}
"""Long features need a small inner rate, which changes the encoder only a little (`Conv4`)."""


def _gradient(
    learner: str,
    title: str,
    options: dict[str, Any],
    *,
    steps: int,
    rate: float = 3e-4,
    encoder: dict[str, Any] = LONG,
    restarts: tuple[int, ...] = (),
    also: tuple[Shape, ...] = (),
) -> Recipe:
    """Trained 20-way from a prototypical encoder. The head starts at zero, which fits any number of ways."""
    return drawings(
        title,
        Spec(learner, "conv4", options, encoder),
        steps=steps,
        episode=Shape(20, 1, 3),
        tasks_per_step=4,
        rate=rate,
        start="glyphs-start",
        restarts=restarts,
        also=also,
    )


STEPS: dict[str, Any] = {"rate": 0.005, "steps": 3}
"""With a head of zeros, the first step changes only the head; the following steps change the encoder too. The rate was
chosen on validation episodes as one that does not lower the accuracy before training."""

MORE_SHOTS = (Shape(10, 5, 3),)
"""For learned rates. Rates that are learned on one shot only are too large for five shots."""

GRADIENT: dict[str, Recipe] = {
    "glyphs-maml": _gradient("maml", "Every weight adapted, second order", STEPS, steps=900, restarts=(400,)),
    "glyphs-fomaml": _gradient(
        "maml", "Every weight adapted, first order", STEPS | {"first_order": True}, steps=500, rate=1e-4
    ),
    "glyphs-anil": _gradient("anil", "The last layer adapted", STEPS, steps=1_000),
    "glyphs-reptile": _gradient(
        "reptile",
        "Every weight adapted, first order; support and queries both train",
        STEPS,
        steps=250,
        rate=1e-4,
    ),
    "glyphs-meta-sgd": _gradient(
        "meta-sgd", "Every weight adapted, with a learned rate for each weight", STEPS, steps=900, also=MORE_SHOTS
    ),
    "glyphs-maml-plus-plus": _gradient(
        "maml++", "Every weight adapted, with learned rates for each layer and step", STEPS, steps=900, also=MORE_SHOTS
    ),
    "glyphs-proto-maml": _gradient(
        "proto-maml",
        "Prototypes, then every weight adapted",
        {"rate": 0.01},
        steps=600,
        encoder=CENTRED,
    ),
    "glyphs-alfa": _gradient(
        "alfa",
        "Every weight adapted, with predicted rates and decay",
        STEPS,
        steps=900,
        also=MORE_SHOTS,
    ),
    "glyphs-cavia": replace(
        _gradient(
            "cavia",
            "A context vector adapted, for up to 5 classes",
            {"outputs": 5, "steps": 5},
            steps=600,
            rate=1e-3,
            encoder=CENTRED,
        ),
        episode=Shape(5, 1, 5),
        validation_episode=Shape(5, 1, 5),
        tasks_per_step=8,
    ),
}
