"""What is decoded at once, while others wait, and what in a thread."""

import numpy as np
import pytest

from service.inputs.executor import SMALL, size_of
from tests.service.drawings import png


@pytest.mark.parametrize("inputs", [[[[0] * 28] * 28] * 15, [np.zeros((28, 28))] * 15, [png("L")], [[0.5] * 1000], [3]])
def test_what_most_send_is_small(inputs):
    assert 0 < size_of(inputs) <= SMALL


@pytest.mark.parametrize("one", [[[0] * 8000], [[0]] * 8000, np.zeros((1, 8000)), np.zeros((8000, 1)), "x" * 10_000])
def test_what_becomes_large_is_not(one):
    assert size_of([one]) > SMALL
