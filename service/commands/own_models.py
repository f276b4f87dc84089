"""The folder of own models: their names, and the model that a training starts from."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from models import checkpoint
from models.checkpoint import Spec
from models.datasets.own.columns import Columns
from models.datasets.own.read import READERS
from models.recipes import RECIPES
from service.cards import Card
from service.settings import ZOO, Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Base(NamedTuple):
    """The model that a training starts from: its architecture, the input of its card, its weights and its limits.

    `weights` is None where all weights are those of the encoder's folder.
    """

    spec: Spec
    input: dict[str, Any]
    weights: Path | None
    limits: list[str]


def check_name(name: str, settings: Settings) -> None:
    """Raise ValueError for a name that is malformed, or that a recipe or a shipped model has."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r}: the name of a model has 1 to 64 letters, digits, - and _, a letter or digit first")
    if name in RECIPES or (settings.models / f"{name}.json").exists():
        raise ValueError(f"{name} is the name of a model of {settings.models} or of a recipe: choose another name")


def is_own(name: str, data: Path, columns: Columns, settings: Settings) -> bool:
    """Whether data is the user's own, rather than that of a dataset by name."""
    path = settings.own_models / f"{name}.json"
    return any(columns) or data.suffix.lower() in READERS or path.exists()


def card_path(name: str, settings: Settings) -> Path:
    """The card of a model of `models` or else of `own_models`. Raises ValueError when there is none."""
    path = settings.weights(name).with_suffix(".json")
    if not path.exists():
        there = sorted(
            {each.stem for folder in (settings.models, settings.own_models) for each in folder.glob("*.json")}
        )
        raise ValueError(
            f"no model {name!r} in {settings.models} or {settings.own_models}; there are {', '.join(there)}"
        )
    return path


def known_type(name: str, settings: Settings) -> tuple[str, bool] | None:
    """The type of input of an own model, and whether it predicts numbers; None if there is none of this name."""
    path = settings.own_models / f"{name}.json"
    if not path.exists():
        return None
    card = Card.read(path)
    return card.input.model_dump()["type"], card.kind == "regression"


def columns_for(name: str, columns: Columns, *, regression: bool) -> Columns:
    """The columns for a model. Raises ValueError when --regression or --classes says otherwise than its card."""
    if columns.regression is not None and columns.regression != regression:
        other = "--classes" if regression else "--regression"
        raise ValueError(f"{name} {'predicts numbers' if regression else 'answers with classes'}: leave out {other}")
    return columns._replace(regression=True if regression else columns.regression)


def base_of(name: str, type: str, settings: Settings, *, regression: bool = False) -> Base:
    """The added model of this name, or else the shipped model for a type of input. Raises ValueError."""
    own = settings.own_models / f"{name}.json"
    if own.exists() and "added" in (card := Card.read(own)).training:
        return Base(Spec(**card.training["added"]), card.input.model_dump(), None, [])
    path = ZOO / f"{type}s{'-regression' if regression else ''}.json"
    card, weights = Card.read(path), path.with_suffix(".safetensors")
    return Base(checkpoint.read(weights)[1]["spec"], card.input.model_dump(), weights, card.limits)


def serve_hint(name: str) -> str:
    """How to serve a model."""
    return f"handful serve now serves it: name the model {name} in /adapt."
