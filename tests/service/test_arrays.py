"""Whether the numbers of an array are finite, as numpy says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from service.arrays import all_finite

ANY = arrays(st.sampled_from([np.float16, np.float32, np.float64]), array_shapes(min_side=0))


@given(ANY)
@settings(deadline=None, derandomize=True)
def test_any_array(values):
    assert all_finite(values) == np.isfinite(values).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_one_number_among_the_largest_that_is_not_finite(value, dtype):
    values = np.full(1000, np.finfo(dtype).max, dtype)
    assert all_finite(values)
    assert all_finite(-values)
    values[700] = value
    assert not all_finite(values)
