"""handful evaluate NAME --data FILE: measure a model on data of the user's own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from models.datasets import dataset_of
from models.datasets.episode import Shape
from models.datasets.own.columns import Columns
from models.datasets.own.dataset import EPISODES as OWN_EPISODES
from models.datasets.own.dataset import dataset_name, options, read_own
from models.datasets.own.episodes import OwnEpisodes
from models.datasets.own.rows import ValueEpisodes
from models.datasets.own.splits import TEST
from models.training import evaluation, plots
from models.training.evaluation import Predictions
from service.cards import Card, Figure
from service.commands.evaluate import load_learner
from service.commands.measured import Measured
from service.commands.own_models import card_path, columns_for
from service.commands.own_numbers import evaluate_numbers
from service.settings import Settings

WAYS, SHOTS, QUERIES, EPISODES = 5, 5, 5, 200
"""The default setting."""
REGRESSION_EPISODES = 50
"""By default for a regression: a forest is fitted in each."""
CURVE = (1, 2, 5, 10, 20)
"""Shots of the learning curve, as far as the data has enough examples."""


def evaluate_own(
    name: str,
    data: Path,
    columns: Columns,
    *,
    split: str | None,
    ways: int | None,
    shots: int | None,
    queries: int | None,
    episodes: int | None,
    seed: int,
    device: str,
    threads: int,
    as_json: bool,
    record: bool,
    plots_to: Path | None,
    settings: Settings,
) -> None:
    """Measure a model on own data: a table over the shots, and pictures of confusion and learning curve.

    A regression is measured beside baselines, and its picture has the predicted numbers.
    """
    torch.set_num_threads(threads)
    measured = _opened(name, data, columns, split or TEST, episodes, seed, device, settings)
    console, folder = Console(stderr=True), plots_to or settings.own_models
    console.print("\n".join(measured.own.summary()), markup=False, highlight=False, soft_wrap=True)
    if isinstance(measured.sampler, ValueEpisodes):
        figures, drawn = evaluate_numbers(measured, shots, queries, folder, as_json=as_json)
    else:
        figures, drawn = _evaluate_classes(measured, ways, shots, queries, folder, as_json=as_json)
    console.print(f"Drew {' and '.join(map(str, drawn))}.", soft_wrap=True)
    if record:
        path = measured.weights.with_suffix(".json")
        Card.read(path).with_figures(figures).write(path)


def _evaluate_classes(
    measured: Measured, ways: int | None, shots: int | None, queries: int | None, folder: Path, *, as_json: bool
) -> tuple[list[Figure], list[Path]]:
    """Print the table of a classifier and draw its pictures. Returns the figures and the pictures."""
    shape = _shape(measured, Shape(ways or WAYS, shots or SHOTS, queries or QUERIES), asked=shots is not None)
    if ways is not None and shape.ways < ways:
        said = f"The split {measured.split} has tasks of {shape.ways} classes at most: --ways is lowered."
        Console(stderr=True).print(said)
    predicted = {each: measured.predict(each) for each in _shapes(measured, shape)}
    figures = {each: measured.figures(each, found) for each, found in predicted.items()}
    _print(measured, figures, as_json=as_json)
    drawn = _draw(measured, shape, predicted[shape], figures, folder)
    return [one for found in figures.values() for one in found], drawn


def _opened(
    name: str,
    data: Path,
    columns: Columns,
    split: str,
    episodes: int | None,
    seed: int,
    device: str,
    settings: Settings,
) -> Measured:
    path = card_path(name, settings)
    card, weights = Card.read(path), path.with_suffix(".safetensors")
    type, regression = card.input.model_dump()["type"], card.kind == "regression"
    if type not in OWN_EPISODES:
        raise ValueError(f"{name} takes inputs of type {type}; own data is of {', '.join(OWN_EPISODES)}")
    opened = _options(card, columns_for(name, columns, regression=regression))
    own = read_own(data, type, Columns.of(opened["columns"]), opened["split_seed"])
    dataset = dataset_of(dataset_name(type, regression=regression))
    sampler = dataset.episodes(data, split, card.input.model_dump(), **opened)
    assert isinstance(sampler, (OwnEpisodes, ValueEpisodes))
    learner, count = load_learner(weights, device), episodes or (REGRESSION_EPISODES if regression else EPISODES)
    return Measured(name, card, learner, weights, own, sampler, split, count, seed, device)


def _options(card: Card, columns: Columns) -> dict[str, Any]:
    """The columns and the split as the model was trained with, unless columns are given."""
    trained = card.training.get("recipe", {})
    if str(trained.get("dataset", "")).startswith("own-"):
        known = trained["dataset_options"]
        given = {name: value for name, value in columns._asdict().items() if value not in (None, ())}
        return {"columns": known["columns"] | given, "split_seed": known["split_seed"]}
    return options(columns, 0)


def _shape(measured: Measured, wanted: Shape, *, asked: bool) -> Shape:
    """The shape that the data has examples for. Raises ValueError when it has too few."""
    tried = [wanted] if asked else [wanted, wanted._replace(shots=2), wanted._replace(shots=1)]
    return measured.first_fitting(tried, f"two classes of {tried[-1].shots} examples")


def _shapes(measured: Measured, shape: Shape) -> list[Shape]:
    """The shape with each number of shots of the learning curve, as far as there are enough examples."""
    shots = sorted({*CURVE, shape.shots})
    fitted = [measured.sampler.fitting(shape._replace(shots=each)) for each in shots]
    kept = [each for each in fitted if each is not None and each.ways == shape.ways]
    return [shape if each.shots == shape.shots else each for each in kept]


def _print(measured: Measured, figures: dict[Shape, list[Figure]], *, as_json: bool) -> None:
    if as_json:
        dumped = [one.model_dump() for each in figures.values() for one in each]
        print(json.dumps({"model": measured.name, "data": measured.own.path.name, "figures": dumped}, indent=2))
        return
    metrics = [one.metric for one in next(iter(figures.values()))]
    title = f"{measured.name} on {measured.own.path.name}, {measured.split}"
    table = Table("setting", *(metric.replace("_", " ") for metric in metrics), title=title)
    for shape, found in figures.items():
        table.add_row(shape.title(), *(one.value() for one in found))
    Console().print(table)


def _draw(
    measured: Measured,
    shape: Shape,
    predicted: Sequence[Predictions],
    figures: dict[Shape, list[Figure]],
    folder: Path,
) -> list[Path]:
    """Draw the two pictures. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    confusion, curve = (folder / f"{measured.name}-{what}.png" for what in ("confusion", "shots"))
    counts, names = measured.confusion(shape, predicted)
    plots.draw_confusion(counts, names, f"{measured.name}: {measured.title(shape)}", confusion)
    headline = evaluation.HEADLINE[measured.learner.kind]
    points = [(each.shots, found[0].mean, found[0].ci95 or 0.0) for each, found in figures.items()]
    plots.draw_shots(points, f"{measured.name}: {measured.own.path.name}, {shape.ways}-way", headline, curve)
    return [confusion, curve]
