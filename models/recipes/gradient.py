"""The models that adapt all of their weights, or some of them, by gradient descent."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.drawings import CENTRED, drawings, many_ways
from models.recipes.recipe import Recipe

LONG = CENTRED | {"scale": 8.0}
"""Long features go with a small inner learning rate, which moves the encoder gently (`Conv4`)."""


def _gradient(
    learner: str,
    title: str,
    options: dict[str, Any],
    *,
    steps: int,
    lr: float = 2e-5,
    encoder: dict[str, Any] = LONG,
    restarts: tuple[int, ...] = (),
    alternating: tuple[Shape, ...] = (),
    start: str = "glyphs-start-long",
    augment: str | None = None,
) -> Recipe:
    """Trained 20-way from a prototypical encoder. The head starts at zero and is not learned, so any number of
    classes is possible."""
    return drawings(
        title,
        Spec(learner, "conv4", options, encoder),
        steps=steps,
        episode=Shape(20, 1, 3),
        tasks_per_step=4,
        lr=lr,
        start=start,
        restarts=restarts,
        alternating=alternating,
        augment=augment,
    )


STEPS: dict[str, Any] = {"inner_lr": 0.001, "inner_steps": 3}
"""From a head of zeros, the first step moves the head only; the next ones move the encoder too. The learning rate was
chosen on validation episodes, such that it does no harm before training. Logits are below 1 with it."""

SHARPENED = STEPS | {"outer_scale": 100.0}
"""For learners that train by the query loss."""

MORE_SHOTS = (Shape(10, 5, 3),)
"""For learned learning rates: those learned at one shot only overshoot at five."""

GRADIENT: dict[str, Recipe] = {
    "glyphs-proto-maml": _gradient(
        "proto-maml",
        "Prototypes, then every weight adapted",
        {"inner_lr": 0.01},
        steps=600,
        lr=3e-4,
        encoder=CENTRED,
        start="glyphs-start",
        augment="elastic",
    ),
    "glyphs-start-long": many_ways(
        "An encoder without batch statistics; the gradient-based models start from it",
        Spec("protonet", "conv4", encoder_options=CENTRED),
        steps=6_000,
        start="glyphs-proto-maml",
        augment=None,
    ),
    "glyphs-maml": _gradient("maml", "Every weight adapted, second order", SHARPENED, steps=200),
    "glyphs-fomaml": _gradient(
        "maml", "Every weight adapted, first order", SHARPENED | {"first_order": True}, steps=200
    ),
    "glyphs-anil": _gradient("anil", "The last layer adapted", SHARPENED, steps=200),
    "glyphs-reptile": _gradient(
        "reptile", "Every weight adapted, first order; support and queries both train", STEPS, steps=200
    ),
    "glyphs-meta-sgd": _gradient(
        "meta-sgd",
        "Every weight adapted, with a learned rate for each weight",
        SHARPENED,
        steps=200,
        alternating=MORE_SHOTS,
    ),
    "glyphs-maml-plus-plus": _gradient(
        "maml++",
        "Every weight adapted, with learned rates for each layer and step",
        SHARPENED,
        steps=200,
        alternating=MORE_SHOTS,
    ),
    "glyphs-alfa": _gradient(
        "alfa", "Every weight adapted, with predicted rates and decay", SHARPENED, steps=200, alternating=MORE_SHOTS
    ),
    "glyphs-cavia": replace(
        _gradient(
            "cavia",
            "A context vector adapted, for up to 5 classes",
            {"outputs": 5, "context": 320, "head_lr": 4.0},
            steps=600,
            lr=1e-4,
            encoder=CENTRED,
        ),
        episode=Shape(5, 1, 5),
        validation_episode=Shape(5, 1, 5),
        tasks_per_step=8,
    ),
}
