"""What a training changes, as tensors: to save it, to continue it, and to start from another one."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from torch.optim import Optimizer

from models import checkpoint
from models.learner import Learner
from models.training.optimisers import Average, MuonAndAdamW


class TrainingState(NamedTuple):
    """The learner, its optimiser, and the moving average of its weights, if there is one."""

    learner: Learner
    optimiser: Optimizer | MuonAndAdamW
    average: Average | None

    def tensors(self) -> dict[str, Tensor]:
        """The weights, the moments of the optimiser, and the averaged weights."""
        weights = {f"learner.{name}": value for name, value in self.learner.state_dict().items()}
        moments = {
            f"optimiser.{index}.{name}": value
            for index, state in self.optimiser.state_dict()["state"].items()
            for name, value in state.items()
        }
        averaged = {f"average.{name}": value for name, value in self.average.weights.items()} if self.average else {}
        return weights | moments | averaged

    def take(self, tensors: dict[str, Tensor]) -> None:
        """Continue from what `tensors` returned."""
        self.learner.load_state_dict(under("learner.", tensors))
        if self.average is not None:
            self.average.weights = under("average.", tensors)
        optimiser = self.optimiser.state_dict() | {"state": {}}
        for key, value in under("optimiser.", tensors).items():
            index, name = key.split(".")
            optimiser["state"].setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(optimiser)

    def weights(self) -> dict[str, Tensor]:
        """The weights that are validated and saved: the averaged ones, if there are any."""
        return self.average.weights if self.average else self.learner.state_dict()


def start_with(learner: Learner, tensors: dict[str, Tensor]) -> None:
    """Take the weights that have the same names and shapes."""
    own = learner.state_dict()
    same = {name for name in tensors.keys() & own.keys() if tensors[name].shape == own[name].shape}
    learner.load_state_dict(own | {name: tensors[name] for name in same})


def members_of(learner: Learner, paths: Sequence[Path]) -> dict[str, Tensor]:
    """The weights of the encoders of checkpoints, as those of the learner's ensemble. Raises ValueError for others."""
    found = {
        f"encoder.members.{place}.{name}": value
        for place, path in enumerate(paths)
        for name, value in under("encoder.", checkpoint.read(path)[0]).items()
    }
    own = {name: value.shape for name, value in learner.state_dict().items() if name.startswith("encoder.members.")}
    if own != {name: value.shape for name, value in found.items()}:
        raise ValueError("the members have other encoders than the ensemble: train them by their recipes")
    return found


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without the prefix."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
