"""What a recipe says."""

from dataclasses import dataclass, field
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape


@dataclass(frozen=True)
class Recipe:
    """One training. `validation` None: every class is trained on, and the last weights are kept."""

    title: str
    spec: Spec
    data: str
    validation: str | None
    episode: Shape
    validation_episode: Shape
    steps: int
    tasks_per_step: int
    rate: float
    drawing: dict[str, Any] = field(default_factory=dict)
    """How training episodes are drawn: options of `tasks.open_tasks`."""
    validation_drawing: dict[str, Any] = field(default_factory=dict)
    """How validation episodes are drawn, likewise."""
    restarts: tuple[int, ...] = ()
    """The steps before which the learning rate, almost zero by then, goes up again."""
    curriculum: Shape | None = None
    """The shape of the first episodes; half way through the run they are of `episode`'s."""
    also: tuple[Shape, ...] = ()
    """Shapes that the steps take in turn with `episode`, for what one number of shots would teach too narrowly."""
    weight_decay: float = 0.0
    precision: str = "float32"
    input: dict[str, Any] = field(default_factory=lambda: {"type": "image", "size": 28})
    outputs: int | None = None
    limits: tuple[str, ...] = ()
    start: str | None = None
    """The recipe whose trained weights this one starts from, as far as it has them."""
