"""Fixtures for the tests of the engine."""

import pytest
from torch import Tensor

from models.learner import Learner
from service.engine import device


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of examples of each pass through the encoder."""
    counts: list[int] = []
    original = device.encode_many

    def counted(learner: Learner, inputs: Tensor) -> Tensor:
        counts.append(len(inputs))
        return original(learner, inputs)

    monkeypatch.setattr(device, "encode_many", counted)
    return counts
