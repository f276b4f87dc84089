"""The meta-training loop of every learner: minimise the loss of predict(adapt(encode(support)), encode(query)).

Episode i of a run depends on (seed, i) only, so an interrupted run continues as if it had not been interrupted.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from models import checkpoint, update_rule
from models.datasets.episode import EpisodeSampler, rng_of, to_device
from models.inner_loop import GradientLearner
from models.learner import Episode, Kind, Learner
from models.recipes import Recipe
from models.training.distributed import outer_loss_of, processes, rank
from models.training.evaluation import HEADLINE, evaluate
from models.training.optimisers import Average, optimiser_of
from models.training.progress import Progress
from models.training.schedule import learning_rate_at, shape_at, share_done
from models.training.training_state import TrainingState, members_of, start_with

VALIDATION_EPISODES = 200
VALIDATION_SEED = 1_000_003
"""All validations of all runs use the same episodes. No training uses this seed."""


DEFAULTS = json.loads(json.dumps({each.name: each.default for each in fields(Recipe) if each.default is not MISSING}))
"""Fields of a recipe that an earlier version did not have and so did not save."""


@runtime_checkable
class Prepared(Protocol):
    """A learner that fits statistics, or encodes each example once, before the first step."""

    def prepare(self, training: EpisodeSampler) -> EpisodeSampler:
        """Prepare with the sampler of training episodes. Returns the sampler that `outer_loss` gets episodes of."""
        ...


class Run:
    """A training of one recipe: the learner, its optimiser, and the two files that it writes.

    `name.safetensors` holds the weights with the best validation score; without validation, the last weights.
    `name.resume.safetensors` holds the state of the training. If it exists, the training continues from it.

    Args:
        recipe: The recipe.
        folder: The folder of both files.
        name: The name of the model.
        seed: The seed of the initial weights and the episodes.
        device: The device to train on.
        starts: The checkpoint to start from: weights with equal names are taken. Of an ensemble, those of its members.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        name: str,
        *,
        seed: int = 0,
        device: str = "cpu",
        starts: Sequence[Path] = (),
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, torch.device(device)
        self.weights_path, self.resume_path = folder / f"{name}.safetensors", folder / f"{name}.resume.safetensors"
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.learner = checkpoint.build(recipe.spec).to(self.device)
        _check(recipe, self.learner)
        if isinstance(self.learner, GradientLearner) and self.learner.rule is not None:
            self.learner.rule.load_state_dict(update_rule.shipped())
            self.learner.rule.requires_grad_(False)
        if recipe.tasks_per_step == 1:  # faster for convolutions, but not supported by vmap
            self.learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
        self.optimiser = optimiser_of(self.learner, recipe)
        self.average = Average(self.learner, recipe.averaging) if recipe.averaging else None
        self.outer_loss = outer_loss_of(self.learner)
        self.state, self.progress = TrainingState(self.learner, self.optimiser, self.average), Progress()
        self._whole = True  # False within the updates of a step: an interrupt there leaves weights not to save
        if self.resume_path.exists():
            self._resume()
        elif recipe.members:
            start_with(self.learner, members_of(self.learner, starts))
        elif starts:
            start_with(self.learner, checkpoint.read(starts[0])[0])

    @property
    def headline(self) -> str:
        """The name of the validation score."""
        return HEADLINE[self.learner.kind]

    def train(self, training: EpisodeSampler, validation: EpisodeSampler | None, *, every: int) -> Iterator[Progress]:
        """Train to the recipe's last step, and yield after each step.

        Validates and saves every `every` steps and after the last one. Closing the iterator saves too.
        """
        started = time.monotonic() - self.progress.seconds
        if self.recipe.steps == 0:
            self._validate(validation)
        if isinstance(self.learner, Prepared):
            training = self.learner.prepare(training)
        try:
            while self.progress.step < self.recipe.steps:
                self._step(training)
                self.progress.seconds = time.monotonic() - started
                if self.progress.step % every == 0 or self.progress.step == self.recipe.steps:
                    self._validate(validation)
                    self._save()
                yield self.progress
        finally:
            if self._whole:
                self._save()

    def _step(self, training: EpisodeSampler) -> None:
        loss = self._improve(training)
        self.progress.step += 1
        self._whole = True
        self.progress.note(loss)

    def _improve(self, training: EpisodeSampler) -> float:
        """Do the updates of one step. Returns the loss."""
        return self._update(self._loss(self._draw(training)))

    def _update(self, loss: Tensor) -> float:
        """Update the weights once. Returns the loss."""
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self._clip()
        for group in self.optimiser.param_groups:
            group["lr"] = group.get("scale", 1.0) * learning_rate_at(self.recipe, self.progress.step)
        self._whole = False
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.learner, self.progress.step + 1)
        return loss.item()

    def _clip(self) -> None:
        if self.recipe.clip is None:
            return
        norm = torch.nn.utils.clip_grad_norm_(self.learner.parameters(), self.recipe.clip)
        if not norm.isfinite():
            self.optimiser.zero_grad()

    def _draw(self, training: EpisodeSampler) -> list[Episode]:
        """This process's share of the episodes of a step."""
        share = self.recipe.tasks_per_step // processes()
        first = self.progress.step * self.recipe.tasks_per_step + rank() * share
        shape = shape_at(self.recipe, self.progress.step)
        drawn = training.together([rng_of(self.seed, first + i) for i in range(share)], shape)
        return [to_device(episode, self.device) for episode in drawn]

    def _loss(self, episodes: list[Episode]) -> Tensor:
        self.learner.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            loss: Tensor = self.outer_loss(episodes, share_done(self.recipe, self.progress.step))
        return loss

    def _validate(self, validation: EpisodeSampler | None) -> None:
        """Record the loss and the validation score. Save the weights if they are the best so far."""
        if rank():
            return
        self.progress.losses.append((self.progress.step, self.progress.loss))
        if validation is not None:
            score = self._validation_score(validation)
            better = min if self.learner.kind is Kind.REGRESSION else max
            self.progress.scores.append((self.progress.step, score))
            if score != better(value for _, value in self.progress.scores):
                return
        dtype = getattr(torch, self.recipe.stored_precision)
        weights = self.state.weights().items()
        stored = {name: value.to(dtype) if value.is_floating_point() else value for name, value in weights}
        checkpoint.save(self.weights_path, self.recipe.spec, stored)

    def _validation_score(self, validation: EpisodeSampler) -> float:
        learner, shape = self._validated(), self.recipe.validation_episode
        scores = evaluate(learner, validation, shape, VALIDATION_EPISODES, VALIDATION_SEED, self.device)
        return fmean(episode[self.headline] for episode in scores)

    def _validated(self) -> Learner:
        """The learner with the weights that would be saved now: the averaged ones, if the recipe averages."""
        if self.average is None:
            return self.learner.eval()
        learner = checkpoint.build(self.recipe.spec).to(self.device).eval()
        learner.load_state_dict(self.average.weights)
        return learner

    def _save(self) -> None:
        if rank():
            return
        header = {"progress": asdict(self.progress), "run": self._identity()}
        checkpoint.save(self.resume_path, self.recipe.spec, self.state.tensors(), **header)

    def _identity(self) -> dict[str, Any]:
        """The values that must be equal when a run continues, as JSON."""
        shown = asdict(replace(self.recipe, title="", limits=())) | {"seed": self.seed}
        same: dict[str, Any] = json.loads(json.dumps(shown))
        return same | ({"steps": None} if self.recipe.open_ended else {})

    def _resume(self) -> None:
        tensors, header = checkpoint.read(self.resume_path)
        if DEFAULTS | header["run"] != self._identity():
            raise ValueError(
                f"{self.resume_path} belongs to another recipe or seed. Remove it or choose another folder."
            )
        self.progress = Progress(**header["progress"])
        self.state.take(tensors)


def _check(recipe: Recipe, learner: Learner) -> None:
    """Raise ValueError for a recipe that cannot be trained."""
    if recipe.tasks_per_step > 1 and any(isinstance(module, torch.nn.BatchNorm2d) for module in learner.modules()):
        raise ValueError(
            f"batch normalisation cannot update its running statistics for {recipe.tasks_per_step} tasks a step: use "
            "one task a step, or an encoder with norm='group'"
        )
    if recipe.tasks_per_step % processes():
        raise ValueError(f"{recipe.tasks_per_step} tasks a step cannot be shared by {processes()} processes")
