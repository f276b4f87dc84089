"""Model cards: the inputs, the measured quality and the training of each model. A JSON file beside each checkpoint."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.arrays import Array
from service.errors import UnknownModel
from service.inputs.registry import CardInput

log = logging.getLogger(__name__)


class Figure(BaseModel):
    """A measured score, and the command that measures it again."""

    setting: str
    metric: str
    mean: float = Field(description="Over episodes: a fraction for accuracy and macro F1, squared units for MSE.")
    ci95: float | None = Field(
        None, description="Half width of the 95 % interval over episodes; none for a score over all episodes together."
    )
    interval: tuple[float, float] | None = Field(
        None, description="The 95 % Wilson interval over the trials of a fixed test."
    )
    episodes: int
    command: str
    checkpoint: str = Field("", description="Digest of the measured weights, as in `checkpoint` of the card.")

    def value(self) -> str:
        """As text."""
        if self.interval is not None:
            return f"{self.mean:.4f} ({self.interval[0]:.4f} to {self.interval[1]:.4f})"
        return f"{self.mean:.4f}" if self.ci95 is None else f"{self.mean:.4f} ± {self.ci95:.4f}"


class ErrorScale(BaseModel):
    """How far the answers of a regression are from the truth: quantiles over validation tasks, by number of examples.

    They are half widths of intervals for clients with too few examples of their own.
    """

    unit: Literal["value", "range", "deviation"] = Field(
        description="value: in units of the labels. range: in ranges of the client's labels, largest less smallest. "
        "deviation: in standard deviations that the model predicts for each answer."
    )
    levels: tuple[float, ...] = Field(description="Shares of the errors, ascending.")
    examples: list[int] = Field(description="Numbers of examples, ascending.")
    quantiles: list[list[float]] = Field(description="For each number of examples, the error at each level.")

    def at(self, examples: int, level: float) -> float | None:
        """The error that a share `level` does not exceed; None with too few examples.

        Of numbers of examples between those measured, the smaller counts. Between levels the line counts, which lies
        above a convex curve.
        """
        rows = [row for size, row in zip(self.examples, self.quantiles, strict=True) if size <= examples]
        return float(np.interp(level, self.levels, rows[-1])) if rows else None


class TaskCalibration(BaseModel):
    """What the answers of a classifier are worth for so many classes and examples of each, on validation classes."""

    ways: int
    shots: int
    temperature: float = Field(gt=0, description="Divides the logits. Fitted on half of the episodes.")
    calibration_error: float = Field(description="The expected calibration error with it, on the other half.")
    familiar: list[float] | None = Field(
        None,
        description="The familiarity that a share `coverages` of the queries of the classes reaches; null for models "
        "that cannot tell.",
    )


class Calibration(BaseModel):
    """Temperatures and thresholds by task."""

    split: str = Field(description="The validation split.")
    coverages: tuple[float, ...] = Field(description="Ascending.")
    tasks: list[TaskCalibration]

    def of(self, ways: int, shots: int) -> TaskCalibration:
        """The measured task with the most classes, then the most examples of each, that are not more than these; the
        smallest if all are more. Familiarity grows with both, so a threshold from a smaller task keeps more."""
        fitting = [each for each in self.tasks if each.ways <= ways and each.shots <= shots]
        return max(fitting or self.tasks[:1], key=lambda each: (each.ways, each.shots))


class Card(BaseModel):
    """A model, for clients and operators."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    algorithm: str
    paper: str
    kind: Literal["classification", "regression"]
    input: CardInput
    outputs: int | None = Field(None, description="Numbers in one answer, for regression.")
    deviations: bool = Field(False, description="Whether a regression predicts the standard deviation of its answers.")
    max_ways: int | None = Field(None, description="Maximum classes; null: any number.")
    max_examples: int | None = Field(None, description="Maximum examples; null: any number.")
    several_labels: bool = Field(False, description="Whether an example may have several labels, or none.")
    weighted_examples: bool = Field(
        False, description="Whether examples may count for less than others, as with `half_life_s` of /adapt."
    )
    transductive: bool = Field(
        False,
        description="Whether the answers to a request with at least as many queries as classes depend on each other.",
    )
    order_sensitive: bool = Field(False, description="Whether the order of the support may change the answers.")
    temperature: float = Field(
        1.0, gt=0, description="Divides the logits, so that probabilities are calibrated. Fitted on validation classes."
    )
    calibration: Calibration | None = Field(
        None, description="Temperatures and thresholds by number of classes and examples; null if not measured."
    )
    errors: ErrorScale | None = Field(
        None, description="The errors of a regression on validation tasks; null for classes, or if not measured."
    )
    training: dict[str, Any] = Field(description="Data, split, command, seed, validation scores, time and machine.")
    figures: list[Figure] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)
    checkpoint: str = Field(
        "", description="First 16 hex digits of the SHA-256 of the weights. A state belongs to one checkpoint."
    )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a card from a JSON file."""
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        """Write the card to a JSON file, without `checkpoint`, which is computed from the weights."""
        path.write_text(self.model_dump_json(indent=2, exclude={"checkpoint"}) + "\n")

    def for_task(self, ways: int, examples: int) -> Self:
        """The card with the temperature of tasks of so many classes and examples in all."""
        if self.calibration is None or not ways:
            return self
        task = self.calibration.of(ways, examples // ways)
        return self.model_copy(update={"temperature": task.temperature})

    def familiar_at(self, ways: int, examples: int, coverage: float) -> float | None:
        """The familiarity that a share `coverage` of the queries of so many classes reaches; None if not measured."""
        if self.calibration is None or not ways:
            return None
        found = self.calibration.of(ways, examples // ways).familiar
        return None if found is None else float(np.interp(coverage, self.calibration.coverages, found))

    def probabilities(self, logits: Array) -> Array:
        """Calibrated class probabilities (q, ways), in double precision, from logits (q, ways)."""
        scaled = logits / self.temperature
        powers = np.exp(scaled.astype(np.float64) - scaled.max(-1, keepdims=True))
        probabilities: Array = powers / powers.sum(-1, keepdims=True)
        return probabilities

    def parted(self, answers: Array) -> tuple[Array, Array | None]:
        """The values or logits of a model's answers, and the standard deviations that a regression predicts."""
        if not self.deviations:
            return answers, None
        values, deviations = np.split(answers, 2, axis=-1)
        return values, deviations

    def with_figures(self, figures: list[Figure]) -> Self:
        """The card with more figures. They replace those of the same setting and metric."""
        new = {(figure.setting, figure.metric) for figure in figures}
        kept = [figure for figure in self.figures if (figure.setting, figure.metric) not in new]
        return self.model_copy(update={"figures": kept + figures})


class Catalogue(Mapping[str, Card]):
    """The cards of a folder by name. Of the weights, only the digest is computed.

    `serve` selects models by names or patterns, separated by commas. Hidden files are ignored. An unreadable card is
    logged with its path and left out. The models of the folder `own`, if it exists, are added.

    Raises:
        FileNotFoundError: The folder has no selected model with a readable card.
    """

    def __init__(self, folder: Path, serve: str = "*", own: Path | None = None) -> None:
        shipped = sorted(folder.glob("*.json"))
        names = {path.stem for path in shipped}
        added = [] if own is None else [path for path in sorted(own.glob("*.json")) if path.stem not in names]
        paths = [path for path in (*shipped, *added) if _selected(path.stem, serve)]
        if not paths and serve != "*":
            raise FileNotFoundError(f"{folder} holds no model that HANDFUL_SERVE={serve} selects")
        if not paths:
            raise FileNotFoundError(
                f"{folder} has no model. A model is a card NAME.json with NAME.safetensors beside it."
            )
        self._cards = {path.stem: card for path in paths if (card := _read(path))}
        if not self._cards:
            raise FileNotFoundError(f"{folder} has no readable card.")

    def __getitem__(self, name: str) -> Card:
        try:
            return self._cards[name]
        except KeyError:
            served = ", ".join(self._cards)
            raise UnknownModel(f"No model is called {name[:80]!r}. Served here: {served}.", field="model") from None

    def __contains__(self, name: object) -> bool:
        return name in self._cards

    def __iter__(self) -> Iterator[str]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)


def _selected(name: str, patterns: str) -> bool:
    return not name.startswith(".") and any(fnmatchcase(name, each.strip()) for each in patterns.split(","))


def _read(path: Path) -> Card | None:
    """The card with the digest of its weights; None when one of the two files is unreadable."""
    try:
        digest = hashlib.sha256(path.with_suffix(".safetensors").read_bytes()).hexdigest()[:16]
        return Card.read(path).model_copy(update={"checkpoint": digest, "name": path.stem})
    except OSError as error:
        log.error("%s is not served: %s: %s", path, error.strerror, error.filename)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        log.error("%s is not served: its card is invalid: %s", path, wrong)
    return None
