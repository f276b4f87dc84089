"""handful evaluate: measure a model and print the figures with the command that repeats them."""

import json
import platform
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from models import checkpoint
from models.datasets import Dataset, dataset_of
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Kind, Learner
from models.training import evaluation
from models.training.calibration import calibration_error
from service.cards import Card, Figure
from service.commands.progress import progress_bar

SHAPE, EPISODES = Shape(5, 1, 5), 1000
"""The default setting."""


class Setting(NamedTuple):
    """A measurement. `within`: the classes of an episode come from one group. `steps`: inner steps."""

    model: str
    dataset: str
    split: str
    within: bool
    ways: int
    shots: int
    queries: int
    episodes: int
    steps: int | None
    seed: int

    @property
    def shape(self) -> Shape:
        """The shape of the episodes."""
        regression = dataset_of(self.dataset).kind is Kind.REGRESSION
        return Shape(0 if regression else self.ways, self.shots, self.queries)

    def title(self) -> str:
        """As a heading."""
        steps = f", inner steps {self.steps}" if self.steps else ""
        return dataset_of(self.dataset).title(self.split, self.shape, within=self.within) + steps

    def command(self, own_dataset: str | None) -> str:
        """The command that repeats the measurement. The dataset is omitted if it is `own_dataset`."""
        options = [
            f"--dataset {self.dataset}" if self.dataset != own_dataset else "",
            dataset_of(self.dataset).data_option(self.split),
            f"--split {self.split}",
            "--within" if self.within else "",
            f"--ways {self.shape.ways}" if self.shape.ways else "",
            f"--shots {self.shots} --queries {self.queries}",
            f"--steps {self.steps}" if self.steps else "",
            f"--episodes {self.episodes} --seed {self.seed}",
        ]
        return " ".join(["handful evaluate", self.model, *filter(None, options)])


def own_dataset(card: Card) -> str | None:
    """The dataset that a model was trained on; None if its card has none."""
    dataset: str | None = card.training.get("recipe", {}).get("dataset")
    return dataset


def dataset_and_split(card: Card, dataset: str | None, split: str | None) -> tuple[str, str]:
    """The dataset and the split to evaluate on. Defaults: the dataset of the model's training and its test split.

    Raises ValueError if neither the arguments nor the card name a dataset.
    """
    dataset = dataset or own_dataset(card)
    if dataset is None:
        raise ValueError(f"the card of {card.name} names no dataset: give --dataset")
    return dataset, split or dataset_of(dataset).test_split


def shape_and_count(
    dataset: str, split: str, ways: int | None, shots: int | None, queries: int | None, episodes: int | None
) -> tuple[int, int, int, int]:
    """Ways, shots, queries and episodes. Defaults: those of a fixed test, otherwise `SHAPE` and `EPISODES`.

    Raises ValueError if they differ from those of a fixed test.
    """
    fixed = dataset_of(dataset).fixed.get(split)
    shape, count = fixed or (SHAPE, EPISODES)
    chosen = (ways or shape.ways, shots or shape.shots, queries or shape.queries, episodes or count)
    if fixed and chosen != (shape.ways, shape.shots, shape.queries, count):
        raise ValueError(
            f"{split} is a fixed test of {count} episodes, {shape.title()}, {shape.queries} query per class: "
            "leave out --ways, --shots, --queries and --episodes"
        )
    return chosen


def evaluate(
    setting: Setting, data: Path | None, models: Path, *, device: str, threads: int, as_json: bool, record: bool
) -> None:
    """Measure and print. With `record`, write the figures into the model's card."""
    torch.set_num_threads(threads)
    weights = models / f"{setting.model}.safetensors"
    figures = measure(setting, weights, data, device)
    _print(setting, weights, figures, device, as_json=as_json)
    if record:
        Card.read(weights.with_suffix(".json")).with_figures(figures).write(weights.with_suffix(".json"))


def measure(setting: Setting, weights: Path, data: Path | None, device: str) -> list[Figure]:
    """The figures of one setting: mean and interval of each score over the episodes, and the calibration error with
    the temperature that is served."""
    card, learner = Card.read(weights.with_suffix(".json")), load_learner(weights, device)
    dataset = dataset_of(setting.dataset)
    _check(setting, learner, dataset)
    options = {"within": True} if setting.within else {}
    sampler = dataset.episodes(data, setting.split, card.input.model_dump(), **options)
    if setting.steps is not None:
        learner.eval_inner_steps = setting.steps  # type: ignore[assignment]  # an attribute of its own, not a module
    predicted = _predict(setting, learner, sampler, device)
    if setting.split in dataset.fixed:
        summary = evaluation.summarise_trials(predicted)
    else:
        summary = evaluation.summarise([evaluation.score(learner.kind, one) for one in predicted])
    if learner.kind is Kind.CLASSIFICATION:
        served = card.for_task(setting.shape.ways, setting.shape.ways * setting.shots)
        summary["calibration_error"] = {"mean": calibration_error(predicted, served.temperature)}
    about = {"setting": setting.title(), "episodes": setting.episodes, "checkpoint": checkpoint.digest(weights)}
    about["command"] = setting.command(own_dataset(card))
    return [Figure.model_validate(about | {"metric": metric} | value) for metric, value in summary.items()]


def load_learner(weights: Path, device: str) -> Learner:
    """Load a learner for measuring. Convolutions take half the time in the memory format `channels_last`."""
    learner = checkpoint.load(weights).to(device)
    return learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # not in the stubs


def _predict(setting: Setting, learner: Learner, sampler: EpisodeSampler, device: str) -> list[evaluation.Predictions]:
    predicted = evaluation.predict_episodes(
        learner, sampler, setting.shape, setting.episodes, setting.seed, torch.device(device)
    )
    headline = evaluation.HEADLINE[learner.kind]

    def note(one: evaluation.Predictions) -> str:
        return f"{headline} {evaluation.score(learner.kind, one)[headline]:.3f}"

    return list(progress_bar(predicted, setting.episodes, 0, note))


def _check(setting: Setting, learner: Learner, dataset: Dataset) -> None:
    """Raise ValueError when the model cannot be measured in this setting."""
    if dataset.kind is not learner.kind:
        raise ValueError(f"{setting.model} is for {learner.kind}; {setting.dataset} is a dataset for {dataset.kind}")
    if learner.max_ways is not None and setting.shape.ways > learner.max_ways:
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
        Console().print(f"{setting.model}, {figure.setting}: {figure.metric} {figure.value()}", soft_wrap=True)
