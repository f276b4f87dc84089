"""Model cards: what each model takes, how good it is, and how it was made. One JSON file beside each checkpoint."""

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
    """A measured score, and the command that makes it again."""

    setting: str
    metric: str
    mean: float = Field(description="Over episodes: a fraction for accuracy and macro F1, squared units for MSE.")
    ci95: float | None = Field(
        None, description="Half width of the 95 % interval over episodes; none for what is one number of them all."
    )
    interval: tuple[float, float] | None = Field(
        None, description="The 95 % interval of a fixed test: a Wilson interval over its trials."
    )
    episodes: int
    command: str
    checkpoint: str = Field("", description="The weights that were measured, as `checkpoint` of the card names them.")

    def value(self) -> str:
        """As text."""
        if self.interval is not None:
            return f"{self.mean:.4f} ({self.interval[0]:.4f} to {self.interval[1]:.4f})"
        return f"{self.mean:.4f}" if self.ci95 is None else f"{self.mean:.4f} ± {self.ci95:.4f}"


class Card(BaseModel):
    """All that a client or an operator wants to know of a model."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    algorithm: str
    paper: str
    kind: Literal["classification", "regression"]
    input: CardInput
    outputs: int | None = Field(None, description="Numbers in one answer, for regression.")
    max_ways: int | None = Field(None, description="Most classes that it takes; null: any number.")
    max_examples: int | None = Field(None, description="Most examples that it takes; null: any number.")
    transductive: bool = Field(
        False, description="Whether answers to as many queries as classes depend on one another."
    )
    order_sensitive: bool = Field(False, description="Whether the order of the support may change the answers.")
    temperature: float = Field(
        1.0, gt=0, description="Logits are divided by it, so that probabilities hold; fitted on validation classes."
    )
    training: dict[str, Any] = Field(description="Data, split, command, seed, time and machine.")
    figures: list[Figure] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)
    checkpoint: str = Field(
        "", description="First 16 hex digits of the SHA-256 of the weights; states are made for it."
    )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The card in a JSON file."""
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        """Write the card as a JSON file; `checkpoint` is left to the weights themselves to say."""
        path.write_text(self.model_dump_json(indent=2, exclude={"checkpoint"}) + "\n")

    def probabilities(self, logits: Array) -> Array:
        """Calibrated class probabilities (q, ways), in double precision, of a model's logits (q, ways)."""
        scaled = logits / self.temperature
        powers = np.exp(scaled.astype(np.float64) - scaled.max(-1, keepdims=True))
        probabilities: Array = powers / powers.sum(-1, keepdims=True)
        return probabilities

    def with_figures(self, figures: list[Figure]) -> Self:
        """The card with figures added, or in place of those of the same setting and metric."""
        new = {(figure.setting, figure.metric) for figure in figures}
        kept = [figure for figure in self.figures if (figure.setting, figure.metric) not in new]
        return self.model_copy(update={"figures": kept + figures})


class Catalogue(Mapping[str, Card]):
    """The cards of a folder by name. Reads no weights beyond their hash.

    `serve` selects models by names or patterns, separated by commas. Hidden files are ignored. A card that cannot be
    read is logged with its path, and the others are served.

    Raises:
        FileNotFoundError: The folder holds no model that is selected, or none whose card can be read.
    """

    def __init__(self, folder: Path, serve: str = "*") -> None:
        paths = [path for path in sorted(folder.glob("*.json")) if _selected(path.stem, serve)]
        if not paths and serve != "*":
            raise FileNotFoundError(f"{folder} holds no model that HANDFUL_SERVE={serve} selects")
        if not paths:
            raise FileNotFoundError(f"{folder} holds no model: a card NAME.json with NAME.safetensors beside it")
        self._cards = {path.stem: card for path in paths if (card := _read(path))}
        if not self._cards:
            raise FileNotFoundError(f"{folder} holds no card that can be read")

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
    """The card, with the digest of its weights; None when one of the two files cannot be read."""
    try:
        digest = hashlib.sha256(path.with_suffix(".safetensors").read_bytes()).hexdigest()[:16]
        return Card.read(path).model_copy(update={"checkpoint": digest, "name": path.stem})
    except OSError as error:
        log.error("%s is not served: %s: %s", path, error.strerror, error.filename)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        log.error("%s is not served: its card is broken: %s", path, wrong)
    return None
