"""Pictures of an evaluation: the confusion of classes, the predicted numbers, and scores by the number of shots."""

from collections.abc import Mapping, Sequence
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
    draw_lines({"": points}, title, "examples of each class", score, path)


def draw_lines(
    lines: Mapping[str, Sequence[tuple[int, float, float]]], title: str, examples: str, score: str, path: Path
) -> None:
    """Draw the scores of methods by the number of examples into a PNG.

    Args:
        lines: The points of each method: the examples, the mean and half of its interval.
        title: Heading of the picture.
        examples: What is counted, such as "rows".
        score: The name of the score.
        path: The PNG.
    """
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        axes.set(title=title, xlabel=examples, ylabel=score)
        for name, points in lines.items():
            counts, means, halves = zip(*points, strict=True)
            axes.errorbar(counts, means, yerr=np.nan_to_num(halves), marker="o", capsize=3, label=name)
            axes.set_xticks(counts)
        if len(lines) > 1:
            axes.legend()
        figure.savefig(path, dpi=120)


def draw_predicted(truth: NDArray[np.float64], predicted: NDArray[np.float64], title: str, path: Path) -> None:
    """Draw predicted numbers (n,) over the true ones (n,) into a PNG."""
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(5, 5), layout="constrained")
        axes = figure.subplots()
        axes.set(title=title, xlabel="true", ylabel="predicted")
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        axes.plot(ends, ends, color="tab:gray", linewidth=1)
        axes.scatter(truth, predicted, s=8, alpha=0.4, color="tab:blue", linewidths=0)
        figure.savefig(path, dpi=120)
