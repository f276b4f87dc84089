"""The right answers: those of a learner in this process, adapted from scratch and alone."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw

from models import checkpoint
from models.learner import Support, full_mask
from service.cards import Card, Catalogue
from service.inputs.limits import Limits

WAYS, SHOTS, QUERIES, VARIANTS = 3, 2, 3, 4
TOLERANCE = 2e-3
"""Tolerance of a probability. States in 16 bits change one by up to 1e-3 (`python -m benchmarks.agreement`)."""


class Lesson(NamedTuple):
    """A support set without its labels, queries to it, and the right probabilities (queries, ways)."""

    support: list[str]
    queries: list[str]
    probabilities: np.ndarray


class Teacher:
    """Makes lessons for a model, all different."""

    def __init__(self, models: Path, model: str) -> None:
        self.model, self._card = model, Catalogue(models)[model]
        self._learner = checkpoint.load(models / f"{model}.safetensors")

    def lessons(self, seed: int) -> list[Lesson]:
        """All variants of the lessons of one client, with the same queries."""
        rng = np.random.default_rng(seed)
        signs = [rng.random((4, 2)) for _ in range(WAYS)]
        queries = [_drawing(sign, rng) for sign in signs[:QUERIES]]
        return [self._lesson(signs[i % WAYS :] + signs[: i % WAYS], queries, rng) for i in range(VARIANTS)]

    def _lesson(self, signs: Sequence[np.ndarray], queries: list[str], rng: np.random.Generator) -> Lesson:
        support = [_drawing(sign, rng) for sign in signs for _ in range(SHOTS)]
        return Lesson(support, queries, self._probabilities(support, queries))

    def _probabilities(self, support: list[str], queries: list[str]) -> np.ndarray:
        targets = torch.arange(WAYS).repeat_interleave(SHOTS)
        with torch.no_grad():
            learned = Support(_inputs(self._card, support), targets, full_mask(targets), WAYS)
            logits = self._learner.answer(learned, _inputs(self._card, queries))
        return (logits.double() / self._card.for_task(WAYS, len(targets)).temperature).softmax(-1).numpy()


def _inputs(card: Card, drawings: list[str]) -> torch.Tensor:
    return torch.from_numpy(card.input.decode(drawings, drawings, Limits(10_000_000)).array()).float() / 255


def _drawing(sign: np.ndarray, rng: np.random.Generator) -> str:
    """A drawing of a sign with random deviations, as base64."""
    sheet = Image.new("L", (56, 56), 255)
    points = 8 + 40 * np.clip(sign + rng.normal(0, 0.03, sign.shape), 0, 1)
    ImageDraw.Draw(sheet).line([tuple(map(float, point)) for point in points], fill=0, width=3)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
