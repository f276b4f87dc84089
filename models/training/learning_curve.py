"""The learning curve as a picture."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from models.training.progress import Progress


def draw(progress: Progress, title: str, headline: str, path: Path) -> None:
    """Draw the loss and, if there is one, the validation score over the steps into a PNG at `path`."""
    with mpl.rc_context({"axes.spines.top": False}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.set(title=title, xlabel="step", ylabel="training loss", yscale="log")
        axes.plot(*zip(*progress.losses, strict=True), color="tab:gray", label="training loss")
        if progress.scores:
            right = axes.twinx()
            right.set_ylabel(f"validation {headline}")
            right.plot(*zip(*progress.scores, strict=True), color="tab:blue", label=f"validation {headline}")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path, dpi=120)
