"""Trainings by reinforcement: of recipes with `trials`. Files, progress and resume are those of any training."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from models.datasets.environment import Environment
from models.datasets.episode import EpisodeSampler, rng_of
from models.recipes import Recipe
from models.recipes.recipe import Trials
from models.training.distributed import processes
from models.training.meta_training import VALIDATION_SEED, Run
from models.training.progress import Progress
from models.training.reinforcement import losses
from models.training.trials import cost

VALIDATION_TASKS = 50


class ReinforcedRun(Run):
    """A step is several updates by new trials of `tasks_per_step` tasks. The score is minus the return after adapts."""

    headline = "minus the return"

    def train(self, training: EpisodeSampler, validation: EpisodeSampler | None, *, every: int) -> Iterator[Progress]:
        """As any run. Raises ValueError for a dataset that is no environment, and under `torchrun`."""
        environment_of(training)
        if self.device.type != "cpu":
            raise ValueError("training by reinforcement runs on the CPU, as its environments do: leave out --device")
        if processes() > 1:
            raise ValueError("training by reinforcement takes one process: start it without torchrun")
        return super().train(training, validation, every=every)

    def _improve(self, training: EpisodeSampler) -> float:
        """Several updates. An interrupt takes back those of its step, so that the run can be saved."""
        count = self.recipe.tasks_per_step
        rngs = [rng_of(self.seed, self.progress.step * count + i) for i in range(count)]
        before = {name: value.clone() for name, value in self.state.tensors().items()}
        self.learner.train()
        try:
            return fmean(map(self._update, losses(self.learner, environment_of(training), self._trials, rngs)))
        except KeyboardInterrupt:
            self.state.take(before)
            self._whole = True
            raise

    def _validation_score(self, validation: EpisodeSampler) -> float:
        environment = environment_of(validation)
        return cost(self._validated(), environment, self._trials, VALIDATION_TASKS, VALIDATION_SEED)

    @property
    def _trials(self) -> Trials:
        assert self.recipe.trials is not None
        return self.recipe.trials


def run_of(recipe: Recipe, folder: Path, name: str, **options: Any) -> Run:
    """The training that a recipe asks for. The options are those of `Run`."""
    return (ReinforcedRun if recipe.trials else Run)(recipe, folder, name, **options)


def environment_of(sampler: EpisodeSampler) -> Environment:
    """The same sampler as an environment. Raises ValueError if it is none."""
    if not isinstance(sampler, Environment):
        raise ValueError("a recipe with `trials` needs a dataset that is an environment, such as `navigation`")
    return sampler
