"""handful evaluate: figures, printed with all that is needed to make them again."""

import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from models import checkpoint, evaluation
from models.learner import Kind, Learner
from models.tasks import open_tasks
from models.tasks.episode import Shape, Tasks
from service.cards import Card, Figure
from service.progress import with_bar


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


def default_split(model: str, models: Path) -> str:
    """The test tasks of the kind that a model is for."""
    return "sinusoid" if Card.read(models / f"{model}.json").kind == "regression" else "vinyals-test"


def evaluate(
    setting: Setting, data: Path | None, models: Path, *, device: str, threads: int, as_json: bool, record: bool
) -> None:
    """Measure, print, and with `record` write the figures into the model's card."""
    torch.set_num_threads(threads)
    weights = models / f"{setting.model}.safetensors"
    summary = _measure(setting, weights, data, device)
    figures = [
        Figure(setting=_title(setting), metric=metric, **value, episodes=setting.episodes, command=_command(setting))
        for metric, value in summary.items()
    ]
    _print(setting, weights, figures, device, as_json=as_json)
    if record:
        Card.read(weights.with_suffix(".json")).with_figures(figures).write(weights.with_suffix(".json"))


def _measure(setting: Setting, weights: Path, data: Path | None, device: str) -> dict[str, dict[str, float]]:
    learner = checkpoint.load(weights).to(device)
    tasks = open_tasks(setting.split, data, within=setting.within_alphabet)
    shape = Shape(0 if tasks.kind is Kind.REGRESSION else setting.ways, setting.shots, setting.queries)
    _check(setting, learner, tasks)
    if setting.steps is not None:
        learner.adapt_steps = setting.steps  # type: ignore[assignment]  # an attribute of its own, not a module
    scores = evaluation.evaluate(learner, tasks, shape, setting.episodes, setting.seed, torch.device(device))
    headline = evaluation.HEADLINE[learner.kind]
    bar = with_bar(scores, setting.episodes, 0, lambda episode: f"{headline} {episode[headline]:.3f}")
    return evaluation.summarise(list(bar))


def _check(setting: Setting, learner: Learner, tasks: Tasks) -> None:
    """Raise ValueError when the model cannot be measured so."""
    if tasks.kind is not learner.kind:
        raise ValueError(f"{setting.model} is for {learner.kind}, and {setting.split} is {tasks.kind}")
    if learner.max_ways is not None and setting.ways > learner.max_ways:
        raise ValueError(f"{setting.model} takes at most {learner.max_ways} ways, not {setting.ways}")
    if setting.steps is not None and not hasattr(learner, "adapt_steps"):
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
        Console().print(f"{setting.model}, {figure.setting}: {figure.metric} {figure.mean:.4f} ± {figure.ci95:.4f}")


def _title(setting: Setting) -> str:
    steps = f", inner steps {setting.steps}" if setting.steps else ""
    if setting.split == "sinusoid":
        return f"K={setting.shots}{steps}"
    within = ", within one alphabet" if setting.within_alphabet else ""
    return f"{setting.split}{within}, {setting.ways}-way {setting.shots}-shot{steps}"


def _command(setting: Setting) -> str:
    omniglot, wave = setting.split != "sinusoid", setting.split == "sinusoid"
    options = [
        "--data omniglot.npz" if omniglot else "",
        f"--split {setting.split}",
        "--within-alphabet" if setting.within_alphabet else "",
        "" if wave else f"--ways {setting.ways}",
        f"--shots {setting.shots} --queries {setting.queries}",
        f"--steps {setting.steps}" if setting.steps else "",
        f"--episodes {setting.episodes} --seed {setting.seed}",
    ]
    return " ".join(["handful evaluate", setting.model, *filter(None, options)])
