"""handful evaluate: figures, printed with all that is needed to make them again."""

import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from models import checkpoint
from models.datasets import open_tasks
from models.datasets.episode import Shape, Tasks
from models.learner import Kind, Learner
from models.training import evaluation
from models.training.calibration import calibration_error
from service.cards import Card, Figure
from service.commands.progress import progress_bar


class Setting(NamedTuple):
    """What is measured."""

    model: str
    split: str
    within_alphabet: bool
    ways: int
    shots: int
    queries: int
    episodes: int
    steps: int | None
    seed: int

    def title(self) -> str:
        """As a heading."""
        steps = f", inner steps {self.steps}" if self.steps else ""
        if self.split == "sinusoid":
            return f"K={self.shots}{steps}"
        within = ", within one alphabet" if self.within_alphabet else ""
        return f"{self.split}{within}, {self.ways}-way {self.shots}-shot{steps}"

    def command(self) -> str:
        """The command that makes the figure again."""
        omniglot, wave = self.split != "sinusoid", self.split == "sinusoid"
        options = [
            "--data omniglot.npz" if omniglot else "",
            f"--split {self.split}",
            "--within-alphabet" if self.within_alphabet else "",
            "" if wave else f"--ways {self.ways}",
            f"--shots {self.shots} --queries {self.queries}",
            f"--steps {self.steps}" if self.steps else "",
            f"--episodes {self.episodes} --seed {self.seed}",
        ]
        return " ".join(["handful evaluate", self.model, *filter(None, options)])


def default_split(model: str, models: Path) -> str:
    """The test tasks of the kind that a model is for."""
    return "sinusoid" if Card.read(models / f"{model}.json").kind == "regression" else "vinyals-test"


def evaluate(
    setting: Setting, data: Path | None, models: Path, *, device: str, threads: int, as_json: bool, record: bool
) -> None:
    """Measure, print, and with `record` write the figures into the model's card."""
    torch.set_num_threads(threads)
    weights = models / f"{setting.model}.safetensors"
    figures = measure(setting, weights, data, device)
    _print(setting, weights, figures, device, as_json=as_json)
    if record:
        Card.read(weights.with_suffix(".json")).with_figures(figures).write(weights.with_suffix(".json"))


def measure(setting: Setting, weights: Path, data: Path | None, device: str) -> list[Figure]:
    """The figures of one setting: each score's mean and interval over episodes, and the calibration error."""
    learner = ready(weights, device)
    tasks = open_tasks(setting.split, data, within=setting.within_alphabet)
    _check(setting, learner, tasks)
    if setting.steps is not None:
        learner.eval_inner_steps = setting.steps  # type: ignore[assignment]  # an attribute of its own, not a module
    predicted = _predict(setting, learner, tasks, device)
    summary = evaluation.summarise([evaluation.score(learner.kind, one) for one in predicted])
    if learner.kind is Kind.CLASSIFICATION:
        temperature = Card.read(weights.with_suffix(".json")).temperature
        summary["calibration_error"] = {"mean": calibration_error(predicted, temperature)}
    about = {"setting": setting.title(), "episodes": setting.episodes, "command": setting.command()}
    about["checkpoint"] = checkpoint.digest(weights)
    return [Figure.model_validate(about | {"metric": metric} | value) for metric, value in summary.items()]


def ready(weights: Path, device: str) -> Learner:
    """A learner as it is measured: in the memory format in which convolutions take half the time."""
    learner = checkpoint.load(weights).to(device)
    return learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # not in the stubs


def _predict(setting: Setting, learner: Learner, tasks: Tasks, device: str) -> list[evaluation.Predictions]:
    shape = Shape(0 if tasks.kind is Kind.REGRESSION else setting.ways, setting.shots, setting.queries)
    predicted = evaluation.predict_episodes(learner, tasks, shape, setting.episodes, setting.seed, torch.device(device))
    headline = evaluation.HEADLINE[learner.kind]
    return list(
        progress_bar(
            predicted,
            setting.episodes,
            0,
            lambda one: f"{headline} {evaluation.score(learner.kind, one)[headline]:.3f}",
        )
    )


def _check(setting: Setting, learner: Learner, tasks: Tasks) -> None:
    """Raise ValueError when the model cannot be measured so."""
    if tasks.kind is not learner.kind:
        raise ValueError(f"{setting.model} is for {learner.kind}, and {setting.split} is {tasks.kind}")
    if learner.max_ways is not None and setting.ways > learner.max_ways:
        raise ValueError(f"{setting.model} takes at most {learner.max_ways} ways, not {setting.ways}")
    if setting.steps is not None and not hasattr(learner, "eval_inner_steps"):
        raise ValueError(f"{setting.model} takes no inner steps: leave --steps out")


def _print(setting: Setting, weights: Path, figures: list[Figure], device: str, *, as_json: bool) -> None:
    if as_json:
        about: dict[str, Any] = setting._asdict() | {
            "checkpoint": checkpoint.digest(weights),
            "device": device,
            "torch": torch.__version__,
            "machine": platform.machine(),
        }
        print(json.dumps(about | {"figures": [figure.model_dump() for figure in figures]}, indent=2))
        return
    for figure in figures:
        Console().print(f"{setting.model}, {figure.setting}: {figure.metric} {figure.value()}")
