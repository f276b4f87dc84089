"""The models of random curves: neural processes, and MAML beside them."""

from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe

QUERIES = 30
LIMITS = (
    "For curves of one input from -2 to 2 whose values vary by about 1: draws of Gaussian processes with length scales "
    "of 0.25 to 1 and periods of 1 to 4, and noise of 0.05. Scale other data to these ranges.",
    "Beyond -2 to 2 the answers and their intervals mean nothing.",
)


def _curves(
    learner: str, title: str, options: dict[str, Any], widths: list[int], *, steps: int, tasks: int, lr: float
) -> Recipe:
    return Recipe(
        title=title,
        spec=Spec(learner, "mlp", options, {"inputs": 1, "widths": widths}),
        dataset="curves",
        training_split="curves",
        validation_split="curves",
        episode=Shape(0, 10, QUERIES),
        alternating=tuple(Shape(0, shots, QUERIES) for shots in (3, 5, 20, 40)),
        validation_episode=Shape(0, 10, QUERIES),
        steps=steps,
        tasks_per_step=tasks,
        lr=lr,
        input={"type": "vector", "length": 1, "within": (-2.0, 2.0)},
        outputs=1,
        limits=LIMITS,
    )


CURVES: dict[str, Recipe] = {
    "curves": _curves(
        "attentive-neural-process", "Curves from a few points, with how sure it is", {}, [128], steps=12_000, tasks=16,
        lr=1e-3,
    ),
    "curves-cnp": _curves(
        "conditional-neural-process", "Curves, the points read as their mean", {}, [128], steps=12_000, tasks=16,
        lr=1e-3,
    ),
    "curves-maml": _curves(
        "maml", "Curves, a network adapted by gradient steps",
        {"outputs": 1, "kind": "regression", "inner_lr": 0.05, "inner_steps": 5}, [64, 64], steps=12_000, tasks=16,
        lr=1e-3,
    ),
}  # fmt: skip
