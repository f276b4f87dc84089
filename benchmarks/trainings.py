"""The table and the picture of docs/methods.md that say how each model was trained, from the cards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib import rcParams
from matplotlib.figure import Figure

from models.recipes import RECIPES
from service.cards import Card

HEADER = ["model", "starts from", "steps", "tasks a step", "classes, shots", "time"]


def trainings(cards: Sequence[Card]) -> list[list[str]]:
    """A row for each model that was trained, the longest training first."""
    trained = [card for card in cards if card.training["recipe"]["steps"] or card.training.get("members")]
    return [_row(card) for card in sorted(trained, key=lambda card: -_seconds(card))]


def draw_curves(cards: Sequence[Card], path: Path) -> None:
    """Draw the validation accuracy of trained classifiers over their steps, where the cards have it, into a PNG."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.set_prop_cycle(cycler(linestyle=["-", ":", "--"]) * rcParams["axes.prop_cycle"])
    for card in cards:
        if len(scores := card.training.get("scores", ())) > 1:
            steps, accuracies = zip(*scores, strict=True)
            axes.plot(steps, [100 * each for each in accuracies], marker=".", label=card.name)
    axes.set(xscale="log", xlabel="step", ylabel="accuracy on validation classes, %")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=120)


def _row(card: Card) -> list[str]:
    recipe: dict[str, Any] = card.training["recipe"]
    members = list(card.training.get("members", {}))
    starts = members or filter(None, [recipe.get("start") or recipe.get("pretrained")])
    steps = " + ".join(f"{RECIPES[name].steps:,}" for name in members) or f"{recipe['steps']:,}"
    ways, shots, *_ = recipe["episode"]
    shape = f"{ways}, {shots}" if ways else f"-, {shots}"
    if trials := recipe.get("trials"):
        shape = f"-, {trials['rounds']} x {trials['trajectories'] * trials['steps']}"
    return [
        f"`{card.name}`", ", ".join(f"`{name}`" for name in starts), steps, str(recipe["tasks_per_step"]), shape,
        _time(_seconds(card)),
    ]  # fmt: skip


def _seconds(card: Card) -> int:
    """The seconds of the training; of an ensemble, those of its members together."""
    found: int = sum(card.training.get("members", {}).values()) or card.training["seconds"]
    return found


def _time(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
