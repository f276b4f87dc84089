"""The checkpoints and the socket of a worker."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from service.cards import Catalogue


@pytest.fixture(scope="module")
def digests(zoo) -> Mapping[str, str]:
    return {name: card.checkpoint for name, card in Catalogue(zoo).items()}


@pytest.fixture
def socket(tmp_path) -> Path:
    return tmp_path / "run" / "worker"
