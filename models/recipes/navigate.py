"""The models of 2-D navigation: MAML with policy gradients, and a recurrent policy.

Both learn by reinforcement, from the weights that imitation of the best actions gives.
"""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.datasets.navigation import EXPLORATION
from models.recipes.recipe import Recipe, Trials

LIMITS = (
    "For a point that moves in the plane from (0, 0), by at most 0.1 in each direction, to a goal from -0.5 to 0.5 in "
    "each.",
    "An input is [x, y, reward]: in examples minus the distance to the goal after the step, in queries 0.",
)


def _imitation(
    learner: str, title: str, options: dict[str, Any], encoder: dict[str, Any], *, steps: int, lr: float
) -> Recipe:
    return Recipe(
        title=title,
        spec=Spec(learner, "mlp", {"outputs": 2} | options, encoder),
        dataset="navigation",
        training_split="navigation",
        validation_split="navigation",
        episode=Shape(0, 40, 30),
        alternating=(Shape(0, 20, 30), Shape(0, 100, 30)),
        validation_episode=Shape(0, 40, 30),
        steps=steps,
        tasks_per_step=16,
        lr=lr,
        input={"type": "vector", "length": 3},
        outputs=2,
        limits=LIMITS,
    )


IMITATION: dict[str, Recipe] = {
    "navigate-maml-start": _imitation(
        "policy-gradient", "Actions, a policy adapted by policy gradients",
        {"deviation": EXPLORATION, "inner_lr": 0.001, "inner_steps": 3}, {"inputs": 2, "widths": [64, 64]},
        steps=600, lr=1e-3,
    ),
    "navigate-rl2-start": _imitation(
        "recurrent-policy", "Actions, a recurrent policy reads the client's steps", {}, {"inputs": 2, "widths": [64]},
        steps=4_000, lr=1e-3,
    ),
}  # fmt: skip


def _reinforced(start: str, *, steps: int, lr: float) -> Recipe:
    """Reinforcement after imitation. A client posts four trajectories of ten steps for each of three adapts."""
    trials = Trials(rounds=3, trajectories=4, steps=10, judged=(16, 20), noise=0.03)
    return replace(IMITATION[start], start=start, trials=trials, alternating=(), steps=steps, lr=lr, clip=1.0)


NAVIGATE: dict[str, Recipe] = {
    "navigate-maml": _reinforced("navigate-maml-start", steps=200, lr=5e-4),
    "navigate-rl2": _reinforced("navigate-rl2-start", steps=150, lr=2e-4),
}
