"""A recipe: all that determines a training."""

from dataclasses import dataclass, field
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    If `validation` is None, the training uses every class and keeps the last weights.
    """

    title: str
    spec: Spec
    data: str
    validation: str | None
    episode: Shape
    validation_episode: Shape
    steps: int
    tasks_per_step: int
    lr: float
    """Peak learning rate of the outer loop."""
    drawing: dict[str, Any] = field(default_factory=dict)
    """How training episodes are drawn: options of `tasks.open_tasks`."""
    restarts: tuple[int, ...] = ()
    """Steps at which the learning rate, which is almost zero by then, starts again at its peak."""
    curriculum: Shape | None = None
    """The shape of the first episodes. It changes gradually into `episode` until half way through the run."""
    alternating: tuple[Shape, ...] = ()
    """Shapes that alternate with `episode` from step to step, so that training covers several numbers of shots."""
    weight_decay: float = 0.0
    precision: str = "float32"
    input: dict[str, Any] = field(default_factory=lambda: {"type": "image", "size": 28})
    outputs: int | None = None
    limits: tuple[str, ...] = ()
    start: str | None = None
    """The recipe whose trained weights this one starts from, where their names are the same."""
