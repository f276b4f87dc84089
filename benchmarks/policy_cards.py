"""The returns of policies as figures on their cards."""

from collections.abc import Sequence

from benchmarks.figures import figure_of
from models import checkpoint
from service.cards import Card, Figure
from service.settings import ZOO

ADAPTED = ("one adapt", "two adapts", "three adapts")


def record(model: str, played: Sequence[Sequence[float]], command: str) -> None:
    """Write the mean returns after each adapt into a card of the zoo.

    Args:
        model: The name of the model.
        played: The returns of each goal, before and after each adapt.
        command: The command that measures them.
    """
    path = ZOO / f"{model}.json"
    after = list(zip(*played, strict=True))[1:]
    figures = [figure(model, setting, values, command) for setting, values in zip(ADAPTED, after, strict=True)]
    Card.read(path).with_figures(figures).write(path)


def figure(model: str, adapted: str, returns: Sequence[float], command: str) -> Figure:
    """The figure of one setting."""
    found = figure_of(returns)
    return Figure(
        setting=f"after {adapted}",
        metric="return",
        mean=found.mean,
        ci95=found.ci95,
        episodes=len(returns),
        command=command,
        checkpoint=checkpoint.digest(ZOO / f"{model}.safetensors"),
    )
