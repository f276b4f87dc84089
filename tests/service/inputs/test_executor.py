"""Small inputs are decoded on the event loop, others in a thread."""

import numpy as np
import pytest

from service.executor import SMALL
from service.inputs.drawing import Drawing
from service.inputs.vector import Vector
from tests.service.drawings import png

DRAWING = Drawing(size=28)


@pytest.mark.parametrize("inputs", [[[[0] * 28] * 28] * 15, [np.zeros((28, 28))] * 15, [png("L")], [[0.5] * 1000], [3]])
def test_common_inputs_are_small_work(inputs):
    assert 0 < DRAWING.work(inputs) <= SMALL


@pytest.mark.parametrize("one", [[[0] * 8000], [[0]] * 8000, np.zeros((1, 8000)), np.zeros((8000, 1)), "x" * 10_000])
def test_inputs_that_become_large_are_large_work(one):
    assert DRAWING.work([one]) > SMALL


@pytest.mark.parametrize(
    ("one", "work"), [(3, 1), ([1, 2], 2), (np.zeros(7), 7), (np.zeros((2, 3)), 6), (None, 1), ("x", 1)]
)
def test_the_work_of_a_vector_is_its_numbers(one, work):
    assert Vector(length=2).work([one]) == work
