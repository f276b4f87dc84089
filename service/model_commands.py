"""The commands that make and measure models. Each imports its code when it runs."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from service.cards import Card, Catalogue
from service.model_options import Data, Episodes, Machine, Model, Models, OwnColumns, Regression, Seed
from service.option_groups import spread
from service.settings import ZOO, Settings


def train(
    model: Annotated[str, typer.Argument(help="A recipe (see handful recipes), or a name for a model of your own.")],
    data: Data = None,
    *,
    own_columns: OwnColumns,
    regression: Regression = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Outer steps; by default as in the recipe.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; by default runs, or that of own models.")
    ] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Validate and save after this many steps.")] = None,
    optimiser: Annotated[
        str | None, typer.Option(help="What makes the inner steps of a gradient-based learner: sgd or learned.")
    ] = None,
    seed: Seed = 0,
    machine: Machine,
) -> None:
    """Train a model. After an interrupt, the same command continues the training.

    With a name that is no recipe, and --data, it meta-trains on your own texts, photos or tables: CSV, JSON Lines,
    Parquet, a folder with a folder for each class, or a zip of it.
    """
    from models.recipes import RECIPES  # noqa: PLC0415
    from service.commands.own_training import train_own  # noqa: PLC0415
    from service.commands.train import train  # noqa: PLC0415

    how: dict[str, Any] = {"steps": steps, "seed": seed} | vars(machine)
    columns = own_columns.named(regression=regression)
    if model not in RECIPES and data is not None:
        settings = Settings() if out is None else Settings().model_copy(update={"own_models": out})
        train_own(model, data, columns, every=every, settings=settings, **how)
    elif any(columns):
        raise ValueError(f"{model} is a recipe, which names its data: choose another name for a model of your own")
    else:
        train(model, data, out=out or Path("runs"), every=every or 500, optimiser=optimiser, **how)


def add(
    model: Annotated[str, typer.Argument(help="A name for the model.")],
    encoder: Annotated[str, typer.Option(help="A model folder, a name on the hub, or identity for rows of a table.")],
    learner: Annotated[
        str | None,
        typer.Option(help="A learner that needs no training, such as logistic. Default: by the kind of input."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit of the encoder on the hub; by default the newest.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model of this name.")] = False,
    regression: Annotated[bool, typer.Option("--regression", help="Predict numbers, of rows of a table.")] = False,
    prefix: Annotated[
        str, typer.Option(help='What goes before each text, for encoders trained with it, such as "query: ".')
    ] = "",
) -> None:
    """Add a model of a pre-trained encoder and a learner, without training. handful serve serves it."""
    from service.commands.add import add  # noqa: PLC0415

    given: dict[str, Any] = {"replace": replace, "regression": regression, "prefix": prefix}
    add(model, encoder, learner, revision, settings=Settings(), **given)


def recipes() -> None:
    """List all recipes. A recipe that starts from another one comes after it."""
    from models.recipes import RECIPES  # noqa: PLC0415

    print("\n".join(RECIPES))


def evaluate(
    model: Model,
    data: Data = None,
    *,
    dataset: Annotated[str | None, typer.Option(help="Name of a dataset; by default the model's own.")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the dataset; by default its test split.")] = None,
    within: Annotated[
        bool, typer.Option("--within", help="Draw the classes of an episode from one group, such as an alphabet.")
    ] = False,
    size: Episodes,
    steps: Annotated[int | None, typer.Option(min=1, help="Inner steps, for gradient-based learners.")] = None,
    seed: Seed = 0,
    seeds: Annotated[
        int | None,
        typer.Option(min=2, max=10, help="Trainings to compare, in the folders seed-0, seed-1, ... of --models."),
    ] = None,
    machine: Machine,
    models: Models = ZOO,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    record: Annotated[bool, typer.Option(help="Write the figures into the model's card.")] = False,
    own_columns: OwnColumns,
    regression: Regression = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the pictures; by default that of own models.")] = None,
) -> None:
    """Measure a model on episodes. Prints each score as its mean and 95 % interval.

    With --data of your own it also draws the confusion of classes, or the predicted numbers, and the learning curve.
    """
    from service.commands.evaluate import Setting, dataset_and_split, evaluate, shape_and_count  # noqa: PLC0415
    from service.commands.evaluate_seeds import evaluate_seeds  # noqa: PLC0415
    from service.commands.own_evaluation import evaluate_own  # noqa: PLC0415
    from service.commands.own_models import is_own  # noqa: PLC0415

    settings = Settings() if models == ZOO else Settings().model_copy(update={"models": models})
    columns = own_columns.named(regression=regression)
    own = data is not None and dataset is None and is_own(model, data, columns, settings)
    if seeds and (own or record):
        raise ValueError(
            "--seeds compares trainings of a recipe: leave it out for a model of your own and with --record"
        )
    how: dict[str, Any] = vars(machine) | {"as_json": as_json}
    if data is not None and own:
        to: dict[str, Any] = {"record": record, "plots_to": plots, "settings": settings}
        evaluate_own(model, data, columns, split=split, **vars(size), seed=seed, **how, **to)
        return
    dataset, split = dataset_and_split(_card(model, models / "seed-0" if seeds else models), dataset, split)
    shape = shape_and_count(dataset, split, **vars(size))
    setting = Setting(model, dataset, split, within, *shape, steps, seed)
    if seeds:
        evaluate_seeds(setting, data, models, seeds, **how)
        return
    evaluate(setting, data, models, record=record, **how)


def calibrate(
    model: Model,
    data: Data = None,
    *,
    machine: Machine,
    models: Models = ZOO,
    tasks: Annotated[
        bool,
        typer.Option("--tasks", help="Also by number of classes and examples, with thresholds for unknown queries."),
    ] = False,
    own_columns: OwnColumns,
) -> None:
    """Fit the temperature of a model's probabilities on its validation split, and write it into its card.

    `handful train` does this at the end of a training. A model of handful add has no validation split: it is calibrated
    on all examples of --data of your own, also by number of classes and examples.
    """
    from service.commands.calibrate import calibrate  # noqa: PLC0415
    from service.commands.own_models import card_path  # noqa: PLC0415

    path = card_path(model, Settings()) if models == ZOO else models / f"{model}.json"
    added = "added" in _card(model, path.parent).training
    calibrate(path, data, by_task=tasks or added, columns=own_columns.named(), **vars(machine))


def _card(model: str, folder: Path) -> Card:
    """The card of a model in a folder. Raises ValueError when there is none."""
    path = folder / f"{model}.json"
    if not path.exists():
        there = ", ".join(sorted(card.stem for card in folder.glob("*.json")))
        raise ValueError(f"{folder} has no model {model!r}; there are {there or 'none'}")
    return Card.read(path)


def models(as_json: Annotated[bool, typer.Option("--json", help="Print all cards as JSON.")] = False) -> None:
    """List the models that are served, with their measured scores."""
    settings = Settings()
    catalogue = Catalogue(settings.models, settings.serve, settings.own_models)
    if as_json:
        print(json.dumps([card.model_dump() for card in catalogue.values()], indent=2))
        return
    table = Table("model", "algorithm", "ways", "figures")
    for card in catalogue.values():
        figures = "\n".join(f"{f.setting}: {f.metric} {f.value()}" for f in card.figures)
        table.add_row(card.name, card.algorithm, str(card.max_ways or "any"), figures)
    Console().print(table)


def add_to(app: typer.Typer) -> None:
    """Add the commands to an app."""
    for command in (train, add, recipes, evaluate, calibrate, models):
        app.command()(spread(command))
