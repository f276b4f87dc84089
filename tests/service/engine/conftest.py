"""Fixtures for the tests of the engine."""

import pytest
from torch import Tensor

from models.learner import Learner
from service.engine import input_encoder


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of examples of each pass through the encoder."""
    counts: list[int] = []
    original = input_encoder.encode_many

    def counted(learner: Learner, inputs: Tensor) -> Tensor:
        counts.append(len(inputs))
        return original(learner, inputs)

    monkeypatch.setattr(input_encoder, "encode_many", counted)
    return counts
