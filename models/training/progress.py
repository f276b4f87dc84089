"""How far a training is, and its learning curve."""

import math
from dataclasses import dataclass, field


@dataclass
class Progress:
    """The progress of a training. `losses` and `scores` are the points (step, value) of the learning curve."""

    step: int = 0
    loss: float = math.nan
    seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)

    def note(self, loss: float) -> None:
        """Add the loss of a step to the moving average of the losses that are finite."""
        if not math.isfinite(self.loss):
            self.loss = loss
        elif math.isfinite(loss):
            self.loss = 0.98 * self.loss + 0.02 * loss
