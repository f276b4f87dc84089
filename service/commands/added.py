"""The calibration that `handful add` gives to learners, fitted on the features of other encoders."""

import json
from pathlib import Path

from pydantic import BaseModel

from service.cards import Calibration

DEFAULTS = Path(__file__).parent / "added.json"
"""Written by benchmarks/added.py."""


class Default(BaseModel):
    """A temperature for all tasks, and temperatures by ways and shots."""

    temperature: float
    calibration: Calibration


def default_of(type: str, learner: str) -> Default | None:
    """The calibration of a learner for a type of input; None for one that calibrates itself, or was not measured."""
    known = json.loads(DEFAULTS.read_text()).get(type, {})
    return Default.model_validate(known[learner]) if learner in known else None
