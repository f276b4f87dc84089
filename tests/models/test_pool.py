"""Episodes from a fixed set of examples."""

import numpy as np
import pytest
import torch

from models.datasets.episode import Shape, rng_of
from models.datasets.pool import Pool

LABELS = np.arange(4).repeat(10)
LEARN = np.tile([True] * 6 + [False] * 4, 4)


def numbered(calls: list[int] | None = None) -> Pool:
    """Examples that are their own number."""

    def examples(indices):
        if calls is not None:
            calls.extend(indices.tolist())
        return torch.from_numpy(indices).float().unsqueeze(1)

    return Pool(examples, LABELS, LEARN, ~LEARN)


def test_support_and_queries_come_from_their_parts_and_have_the_right_labels():
    support, query, targets = numbered().episode(rng_of(0, 0), Shape(3, 4, 2))
    drawn = support.inputs.long().flatten().numpy()
    asked = query.long().flatten().numpy()
    assert LEARN[drawn].all()
    assert not LEARN[asked].any()
    class_of = dict(zip(support.targets.tolist(), LABELS[drawn], strict=False))
    assert [class_of[each] for each in targets.tolist()] == LABELS[asked].tolist()


def test_no_example_is_both_support_and_query():
    everywhere = np.ones(40, dtype=bool)
    pool = Pool(lambda indices: torch.from_numpy(indices).unsqueeze(1), LABELS, everywhere, everywhere)
    for index in range(20):
        support, query, _ = pool.episode(rng_of(1, index), Shape(4, 5, 5))
        assert not set(support.inputs.flatten().tolist()) & set(query.flatten().tolist())


def test_an_encoded_pool_has_the_same_episodes_and_encodes_each_example_once():
    calls: list[int] = []
    plain, encoded = numbered(), numbered(calls).encoded(lambda inputs: inputs + 0.5)
    for index in range(10):
        expected, got = (pool.episode(rng_of(2, index), Shape(3, 2, 2)) for pool in (plain, encoded))
        torch.testing.assert_close(got.query, expected.query + 0.5)
        torch.testing.assert_close(got.support.inputs, expected.support.inputs + 0.5)
    assert len(calls) == len(set(calls))


@pytest.mark.parametrize(("shape", "said"), [(Shape(5, 1, 1), "there are 4 classes"), (Shape(2, 7, 1), "there are 6")])
def test_more_than_there_is_cannot_be_drawn(shape, said):
    with pytest.raises(ValueError, match=said):
        numbered().episode(rng_of(0, 0), shape)
