"""Pictures of an evaluation: the confusion of classes, and the accuracy by the number of shots."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

MOST_NAMES = 40
"""With more classes, a picture shows those that are confused most."""
MOST_CHARACTERS = 24


def draw_confusion(counts: NDArray[np.int64], names: Sequence[str], title: str, path: Path) -> None:
    """Draw how often queries of each class get each answer, in shares of a class, into a PNG.

    Args:
        counts: Queries by class and answer, (classes, classes).
        names: The classes.
        title: Heading of the picture.
        path: The PNG.
    """
    shown = np.sort(np.argsort(-(counts.sum(1) - counts.diagonal()), kind="stable")[:MOST_NAMES])
    counts, labels = counts[np.ix_(shown, shown)], [names[i][:MOST_CHARACTERS] for i in shown]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 3 + 0.28 * len(labels)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title=title, xlabel="answer", ylabel="class")
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    figure.colorbar(image, label="share of the class's queries", shrink=0.7)
    figure.savefig(path, dpi=120)


def draw_shots(points: Sequence[tuple[int, float, float]], title: str, score: str, path: Path) -> None:
    """Draw a score by the number of shots into a PNG. A point is the shots, the mean and half of its interval."""
    shots, means, halves = zip(*points, strict=True)
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        axes.set(title=title, xlabel="examples of each class", ylabel=score)
        axes.errorbar(shots, means, yerr=np.nan_to_num(halves), marker="o", capsize=3, color="tab:blue")
        axes.set_xticks(shots)
        figure.savefig(path, dpi=120)
