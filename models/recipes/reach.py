"""The model of an arm that reaches for a goal: a recurrent policy by imitation, and further by reinforcement."""

from dataclasses import replace

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe, Trials

IMITATED = Recipe(
    title="Torques of an arm with two joints, a recurrent policy reads the client's steps",
    spec=Spec("recurrent-policy", "mlp", {"outputs": 2}, {"inputs": 8, "widths": [64]}),
    dataset="reacher",
    training_split="reacher",
    validation_split="reacher",
    episode=Shape(0, 50, 60),
    alternating=(Shape(0, 100, 60),),
    validation_episode=Shape(0, 100, 60),
    steps=2_000,
    tasks_per_step=8,
    lr=2e-3,
    input={"type": "vector", "length": 9},
    outputs=2,
    limits=(
        "For the arm of Reacher (MuJoCo): two links of 0.1 and 0.11, torques from -1 to 1, goals within 0.2 of the "
        "shoulder.",
        "An input is the cosines and sines of both joints, their angular velocities over 10, the place of the "
        "fingertip over 0.2, and the reward over 0.2: in examples that of the step, in queries 0.",
    ),
)

TRIALS = Trials(rounds=2, trajectories=1, steps=50, judged=(4, 50), noise=0.1, shuffled=False)
"""A client posts one trajectory for each of two adapts."""

REACH: dict[str, Recipe] = {
    "reach": IMITATED,
    "reach-ppo": replace(IMITATED, start="reach", trials=TRIALS, alternating=(), steps=80, lr=4e-4, clip=1.0),
}
