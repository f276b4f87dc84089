"""The acknowledged and the uncertain adapts of one client, which tell the right answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.chaos.truth import SHOTS, TOLERANCE, WAYS, Lesson


class Verdict(NamedTuple):
    """The verdict on an answer: what is wrong, if anything, and whether something was lost."""

    wrong: str = ""
    lost: bool = False


RIGHT = Verdict()


class Ledger:
    """The adapts of one client. Each attempt has its own labels, so every answer shows its client and its attempt."""

    def __init__(self, client_id: str, model: str, lessons: Sequence[Lesson]) -> None:
        self.client_id, self.model, self._lessons = client_id, model, lessons
        self.begun = 0
        self.known = 0
        """The latest attempt that was acknowledged or observed; 0: none yet."""
        self.version = 0
        """The highest observed version."""
        self._refused: set[int] = set()
        self._attempts: dict[int, int] = {}
        self._versions: dict[int, int] = {}

    def begin(self) -> int:
        """Begin an attempt and return its number."""
        self.begun += 1
        return self.begun

    def body(self, attempt: int) -> dict[str, Any]:
        """The body of an attempt."""
        labels = [label for label in self._labels(attempt) for _ in range(SHOTS)]
        support = [{"input": one, "label": label} for one, label in zip(self._of(attempt).support, labels, strict=True)]
        return {"client_id": self.client_id, "model": self.model, "support": support}

    def question(self) -> dict[str, Any]:
        """The body of a predict."""
        return {"client_id": self.client_id, "inputs": self._lessons[0].queries}

    def refused(self, attempt: int) -> None:
        """Record an answer which says that nothing was changed."""
        self._refused.add(attempt)

    def acknowledged(self, attempt: int, answer: dict[str, Any]) -> Verdict:
        """Judge the answer to an attempt. The attempt is acknowledged from now on."""
        before, self.known = self.version, max(self.known, attempt)
        if answer["client_id"] != self.client_id or answer["classes"] != self._labels(attempt):
            return Verdict(f"attempt {attempt} of {self.client_id} was answered {answer}")
        if answer["version"] < before:
            return Verdict(f"{self.client_id} was at version {before}, and is now at {answer['version']}", lost=True)
        return self._noted(attempt, answer["version"])

    def predicted(self, floor: int, answer: dict[str, Any]) -> Verdict:
        """Judge the answer to a predict that was sent when `floor` was known."""
        rows = [one["probabilities"] for one in answer["predictions"]]
        verdict, attempt = self._attempt_of(floor, answer, list(rows[0]))
        if attempt is None:
            return verdict
        told = np.array([[row[label] for label in self._labels(attempt)] for row in rows])
        off = float(np.abs(told - self._of(attempt).probabilities).max())
        best = [self._labels(attempt)[i] for i in told.argmax(-1)]
        if off > TOLERANCE or best != [one["label"] for one in answer["predictions"]]:
            return Verdict(f"attempt {attempt} of {self.client_id}: a probability is off by {off:.4f}")
        return self._noted(attempt, answer["version"])

    def shown(self, floor: int, answer: dict[str, Any]) -> Verdict:
        """Judge the answer to GET of the client."""
        verdict, attempt = self._attempt_of(floor, answer, answer["classes"])
        return verdict if attempt is None else self._noted(attempt, answer["version"])

    def missing(self, floor: int) -> Verdict:
        """Judge the answer that the client is unknown."""
        return Verdict(f"{self.client_id} is gone, with attempt {floor}", lost=True) if floor else RIGHT

    def _attempt_of(self, floor: int, answer: dict[str, Any], classes: list[str]) -> tuple[Verdict, int | None]:
        """The attempt of an answer, by its labels; None with a verdict if the answer is wrong."""
        found = [n for n in range(self.begun + 1) if sorted(classes) == self._labels(n)]
        if answer["client_id"] != self.client_id or not found:
            return Verdict(f"{self.client_id} was answered with {answer['client_id']}, {classes}"), None
        if found[0] in self._refused:
            return Verdict(f"attempt {found[0]} of {self.client_id} was refused, and yet done"), None
        if found[0] < floor:
            return Verdict(f"{self.client_id} answers as of attempt {found[0]}, after {floor}", lost=True), None
        return RIGHT, found[0]

    def _noted(self, attempt: int, version: int) -> Verdict:
        self.known, self.version = max(self.known, attempt), max(self.version, version)
        if self._versions.setdefault(attempt, version) != version:
            return Verdict(f"attempt {attempt} of {self.client_id} was done twice")
        if self._attempts.setdefault(version, attempt) != attempt:
            return Verdict(f"version {version} of {self.client_id} is attempt {attempt}, and was another", lost=True)
        return RIGHT

    def _of(self, attempt: int) -> Lesson:
        return self._lessons[attempt % len(self._lessons)]

    def _labels(self, attempt: int) -> list[str]:
        return [f"{self.client_id}/{attempt}/{i}" for i in range(WAYS)]
