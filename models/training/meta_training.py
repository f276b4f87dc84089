"""The one training loop: the loss of predict(adapt(support), query), for every learner.

Episode i of a run is a function of (seed, i) alone, so a run that was interrupted goes on as if it had not been.
"""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from models import checkpoint
from models.datasets.episode import EpisodeSampler, Shape, rng_of, to_device
from models.learner import Episode, Kind, Learner
from models.recipes import Recipe
from models.training.distributed import outer_loss_of, processes, rank
from models.training.evaluation import HEADLINE, evaluate

VALIDATION_EPISODES = 200
VALIDATION_SEED = 1_000_003
"""Far from any training seed: the same validation episodes at every look and in every run."""


@dataclass
class Progress:
    """Where a training stands. `losses` and `scores` are points (step, value): what the training curve draws."""

    step: int = 0
    loss: float = math.nan
    seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)


class Run:
    """A training of one recipe: the learner, its optimiser, and the two files that it writes.

    `name.safetensors` holds the best weights on the validation tasks, or the last ones where there are none;
    `name.resume.safetensors` holds all that is needed to go on, and is picked up when it is there.
    """

    def __init__(
        self, recipe: Recipe, folder: Path, name: str, *, seed: int = 0, device: str = "cpu", start: Path | None = None
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, torch.device(device)
        self.weights_path, self.resume_path = folder / f"{name}.safetensors", folder / f"{name}.resume.safetensors"
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.learner = checkpoint.build(recipe.spec).to(self.device)
        _check(recipe, self.learner)
        if recipe.tasks_per_step == 1:  # vmap does not know this format, which is the faster one for convolutions
            self.learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
        self.optimiser = _optimiser(self.learner, recipe)
        self.outer_loss = outer_loss_of(self.learner)
        self.progress = Progress()
        self._whole = True  # no step is half taken: what an interrupt in the middle leaves is not worth keeping
        if self.resume_path.exists():
            self._resume()
        elif start is not None:
            self._begin_with(start)

    def train(self, training: EpisodeSampler, validation: EpisodeSampler | None, *, every: int) -> Iterator[Progress]:
        """Train to the recipe's last step, yielding after each. Every `every` steps, and at the last, look at the
        validation tasks and save; save too when the iterator is closed."""
        started = time.monotonic() - self.progress.seconds
        if self.recipe.steps == 0:
            self._look(validation)
        try:
            while self.progress.step < self.recipe.steps:
                self._step(training)
                self.progress.seconds = time.monotonic() - started
                if self.progress.step % every == 0 or self.progress.step == self.recipe.steps:
                    self._look(validation)
                    self._save()
                yield self.progress
        finally:
            if self._whole:
                self._save()

    def _step(self, training: EpisodeSampler) -> None:
        loss = self._loss(self._draw(training))
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self._set_rate()
        self._whole = False
        self.optimiser.step()
        self.progress.step += 1
        self._whole = True
        self.progress.loss = 0.98 * self.progress.loss + 0.02 * loss.item() if self.progress.step > 1 else loss.item()

    def _draw(self, training: EpisodeSampler) -> list[Episode]:
        """This process's share of the step's episodes."""
        share = self.recipe.tasks_per_step // processes()
        first = self.progress.step * self.recipe.tasks_per_step + rank() * share
        shape = self._shape()
        drawn = (training.episode(rng_of(self.seed, first + i), shape) for i in range(share))
        return [to_device(episode, self.device) for episode in drawn]

    def _shape(self) -> Shape:
        """The recipe's shapes in turn."""
        shapes = (self._main_shape(), *self.recipe.also)
        return shapes[self.progress.step % len(shapes)]

    def _main_shape(self) -> Shape:
        """The recipe's, or on the way to it: a curriculum arrives half way through the run."""
        if self.recipe.curriculum is None:
            return self.recipe.episode
        return self.recipe.curriculum.towards(self.recipe.episode, min(1.0, 2 * self._done()))

    def _loss(self, episodes: list[Episode]) -> Tensor:
        self.learner.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            loss: Tensor = self.outer_loss(episodes, self._done())
        return loss

    def _done(self) -> float:
        """The share of the run that is behind."""
        return self.progress.step / self.recipe.steps

    def _set_rate(self) -> None:
        """Up in a hundredth of the run, and down to zero on a cosine; the same again after a restart (Loshchilov,
        Hutter 2017, arXiv:1608.03983)."""
        begin, end = self._cycle()
        gone, length = self.progress.step - begin, end - begin
        warmth = min(1.0, 100 * (gone + 1) / length)
        rate = self.recipe.rate * warmth * (1 + math.cos(math.pi * gone / length)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _cycle(self) -> tuple[int, int]:
        """Between which steps the rate goes up and down once: the restarts around the present step."""
        marks = [0, *self.recipe.restarts, self.recipe.steps]
        return next((begin, end) for begin, end in pairwise(marks) if self.progress.step < end)

    def _look(self, validation: EpisodeSampler | None) -> None:
        """Note the loss and the validation score; write the weights if they are the best so far."""
        if rank():
            return
        self.progress.losses.append((self.progress.step, self.progress.loss))
        if validation is not None:
            score = self._validate(validation)
            better = min if self.learner.kind is Kind.REGRESSION else max
            self.progress.scores.append((self.progress.step, score))
            if score != better(value for _, value in self.progress.scores):
                return
        checkpoint.save(self.weights_path, self.recipe.spec, self.learner.state_dict())

    def _validate(self, validation: EpisodeSampler) -> float:
        self.learner.eval()
        shape = self.recipe.validation_episode
        scores = evaluate(self.learner, validation, shape, VALIDATION_EPISODES, VALIDATION_SEED, self.device)
        return fmean(episode[HEADLINE[self.learner.kind]] for episode in scores)

    def _save(self) -> None:
        if rank():
            return
        weights = {f"learner.{name}": value for name, value in self.learner.state_dict().items()}
        moments = {
            f"optimiser.{index}.{name}": value
            for index, state in self.optimiser.state_dict()["state"].items()
            for name, value in state.items()
        }
        header = {"progress": asdict(self.progress), "run": self._identity()}
        checkpoint.save(self.resume_path, self.recipe.spec, weights | moments, **header)

    def _begin_with(self, start: Path) -> None:
        """Take what a trained model has under the same name."""
        tensors, _ = checkpoint.read(start)
        own = self.learner.state_dict()
        self.learner.load_state_dict(own | {name: tensors[name] for name in tensors.keys() & own.keys()})

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on, as JSON keeps it."""
        shown = asdict(replace(self.recipe, title="", limits=())) | {"seed": self.seed}
        same: dict[str, Any] = json.loads(json.dumps(shown))
        return same

    def _resume(self) -> None:
        tensors, header = checkpoint.read(self.resume_path)
        if header["run"] != self._identity():
            raise ValueError(f"{self.resume_path} is of another recipe or seed; remove it, or name another folder")
        self.progress = Progress(**header["progress"])
        self.learner.load_state_dict(_under("learner.", tensors))
        optimiser = self.optimiser.state_dict()
        for key, value in _under("optimiser.", tensors).items():
            index, name = key.split(".")
            optimiser["state"].setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(optimiser)


def _optimiser(learner: Learner, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam; weight decay, apart from the gradient, for what multiplies: not for biases, norms, rates and scales."""
    matrices = [parameter for parameter in learner.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in learner.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]])


def _check(recipe: Recipe, learner: Learner) -> None:
    """Raise ValueError for what cannot be trained so."""
    if recipe.tasks_per_step > 1 and any(isinstance(module, torch.nn.BatchNorm2d) for module in learner.modules()):
        raise ValueError(
            f"batch normalisation cannot keep its running statistics over {recipe.tasks_per_step} tasks computed as "
            "one: take one task a step, or an encoder with norm='group'"
        )
    if recipe.tasks_per_step % processes():
        raise ValueError(f"{recipe.tasks_per_step} tasks a step cannot be shared by {processes()} processes")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
