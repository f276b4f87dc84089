"""The models of sinusoids (Finn et al. 2017, section 5.1)."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe


def _wave(
    learner: str, title: str, options: dict[str, Any], *, steps: int, inputs: int = 1, clip: float | None = None
) -> Recipe:
    return Recipe(
        title=title,
        spec=Spec(learner, "mlp", {"kind": "regression"} | options, {"inputs": inputs, "widths": [40, 40]}),
        dataset="sinusoid",
        training_split="sinusoid",
        validation_split="sinusoid",
        episode=Shape(0, 5, 10),
        validation_episode=Shape(0, 5, 5),
        steps=steps,
        clip=clip,
        tasks_per_step=25,
        lr=1e-3,
        input={"type": "vector", "length": 1},
        outputs=1,
        limits=("For sine waves with amplitude 0.1 to 5, phase 0 to pi and x from -5 to 5.",),
    )


ONE: dict[str, Any] = {"outputs": 1, "inner_lr": 0.01, "inner_steps": 1, "eval_inner_steps": 10}
FIVE: dict[str, Any] = {"outputs": 1, "inner_lr": 0.01, "inner_steps": 5}
CONTEXT = 5

WAVES: dict[str, Recipe] = {
    "sinusoid": _wave("maml", "Sine waves y = A sin(x - phase) from a few points", ONE, steps=70_000),
    "sinusoid-anil": _wave(
        "anil", "Sine waves, the last layer adapted", FIVE | {"inner_lr": 0.1}, steps=10_000, clip=10.0
    ),
    "sinusoid-reptile": _wave(
        "reptile", "Sine waves, first order", FIVE | {"inner_lr": 0.02, "eval_inner_steps": 10}, steps=10_000
    ),
    "sinusoid-meta-sgd": _wave(
        "meta-sgd", "Sine waves, a learned rate for each weight", ONE | {"eval_inner_steps": 1}, steps=10_000
    ),
    "sinusoid-maml-plus-plus": _wave(
        "maml++", "Sine waves, learned rates for each layer and step", FIVE, steps=8_000, clip=10.0
    ),
    "sinusoid-alfa": _wave("alfa", "Sine waves, with predicted rates and decay", FIVE, steps=8_000, clip=10.0),
    "sinusoid-lstm": replace(
        _wave(
            "lstm", "Sine waves, an LSTM makes the updates", {"outputs": 1, "inner_steps": 5, "units": 8}, steps=10_000
        ),
        tasks_per_step=8,
        lr=1e-2,
    ),
    "sinusoid-cavia": _wave(
        "cavia",
        "Sine waves, a context vector of five numbers adapted",
        ONE | {"inner_lr": 1.0, "context": CONTEXT, "eval_inner_steps": 1},
        steps=10_000,
        inputs=1 + CONTEXT,
    ),
    "sinusoid-ridge": _wave("ridge", "Sine waves, a closed-form head on meta-trained features", {}, steps=10_000),
}
