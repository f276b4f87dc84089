"""The table of docs/methods.md that says how each model was trained, from the cards."""

from collections.abc import Sequence
from typing import Any

from service.cards import Card

HEADER = ["model", "starts from", "steps", "tasks a step", "classes, shots", "time"]


def trainings(cards: Sequence[Card]) -> list[list[str]]:
    """A row for each model that was trained, the longest training first."""
    trained = [card for card in cards if card.training["recipe"]["steps"]]
    return [_row(card) for card in sorted(trained, key=lambda card: -card.training["seconds"])]


def _row(card: Card) -> list[str]:
    recipe: dict[str, Any] = card.training["recipe"]
    start = recipe.get("start") or recipe.get("pretrained")
    ways, shots, *_ = recipe["episode"]
    shape = f"{ways}, {shots}" if ways else f"-, {shots}"
    return [
        f"`{card.name}`", f"`{start}`" if start else "", f"{recipe['steps']:,}", str(recipe["tasks_per_step"]), shape,
        _time(card.training["seconds"]),
    ]  # fmt: skip


def _time(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
