"""Options of the commands that make and measure models. Each stands here once, with its name, type and help."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.datasets.own.columns import Columns

Model = Annotated[str, typer.Argument(help="Name of a model in the folder --models.")]
Models = Annotated[Path, typer.Option(help="Folder of checkpoints.")]
Data = Annotated[
    Path | None,
    typer.Option(help="Your own data, or the file or folder of a dataset, such as omniglot.npz.", exists=True),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same episodes.")]
Regression = Annotated[
    bool | None,
    typer.Option(
        "--regression/--classes", help="Labels of own rows are numbers to predict, or classes. Default: by the labels."
    ),
]


@dataclass(frozen=True)
class OwnColumns:
    """Which columns of own data hold what."""

    text: Annotated[str | None, typer.Option(help="Columns of own texts, such as subject,body.")] = None
    image: Annotated[str | None, typer.Option(help="Column of the paths of own photos.")] = None
    label: Annotated[str | None, typer.Option(help="Column of the classes of own data.")] = None
    task: Annotated[str | None, typer.Option(help="Column of own data that says whose classes a row has.")] = None
    split_column: Annotated[str | None, typer.Option(help="Column of own data that says train, val or test.")] = None

    def named(self, *, regression: bool | None = None) -> "Columns":
        """The columns that the options name."""
        from models.datasets.own.columns import Columns  # noqa: PLC0415

        texts = tuple(name.strip() for name in (self.text or "").split(",") if name.strip())
        return Columns(texts, self.image, self.label, self.task, self.split_column, regression)


@dataclass(frozen=True)
class Episodes:
    """The shape of the episodes that a model is measured on, and their number."""

    ways: Annotated[int | None, typer.Option(min=2, help="Classes of an episode; by default 5.")] = None
    shots: Annotated[
        int | None,
        typer.Option(
            min=1, help="Support examples of each class, or points for regression; by default 1, of own data 5."
        ),
    ] = None
    queries: Annotated[
        int | None, typer.Option(min=1, help="Queries of each class, or points for regression; by default 5.")
    ] = None
    episodes: Annotated[
        int | None, typer.Option(min=1, help="Number of episodes; by default 1000, of own data 200.")
    ] = None


@dataclass(frozen=True)
class Machine:
    """What computes."""

    device: Annotated[str, typer.Option(help="Torch device: cpu, cuda, ...")] = "cpu"
    threads: Annotated[int, typer.Option(min=1, help="Torch threads.")] = 1
