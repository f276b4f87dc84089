"""Synthetic tables: sizes, labels and columns are as they are said to be, and a seed draws the same again."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.datasets import dataset_of
from models.datasets.bundled_tables import choice_tables
from models.datasets.episode import Shape, rng_of
from models.datasets.synthetic_columns import columns
from models.datasets.synthetic_tables import (
    FAMILIES,
    Size,
    SyntheticTables,
    classes,
    draw_size,
    draw_task,
    standardised,
)

MOST = Shape(10, 13, 4)
over_seeds = pytest.mark.parametrize("seed", range(30))


@over_seeds
def test_a_task_has_its_size_and_each_class_among_the_rows_to_learn_from(seed):
    rng = rng_of(0, seed)
    size = draw_size(rng, MOST, 24)
    episode = draw_task(rng, size)
    assert episode.support.inputs.shape == (size.rows, size.features)
    assert episode.query.shape == (size.queries, size.features)
    assert set(episode.support.targets.tolist()) == set(range(size.ways))
    assert set(episode.targets.tolist()) <= set(range(size.ways))
    assert not torch.isinf(episode.support.inputs).any()


@over_seeds
def test_sizes_keep_to_their_limits(seed):
    size = draw_size(rng_of(1, seed), MOST, 24)
    assert 2 <= size.ways <= 10
    assert 8 <= size.rows <= 130
    assert size.queries == 40
    assert 2 <= size.features <= 24


def test_the_same_seed_draws_the_same_task_and_another_seed_another():
    first, again, other = (SyntheticTables(8).episode(rng_of(seed, 5), MOST) for seed in (0, 0, 1))
    assert_close(first, again, rtol=0, atol=0, equal_nan=True)
    assert first.support.inputs.shape != other.support.inputs.shape or not torch.equal(first.query, other.query)


def test_tasks_that_are_drawn_together_have_one_size():
    together = SyntheticTables(8).together([rng_of(0, index) for index in range(5)], MOST)
    assert len({episode.support.inputs.shape for episode in together}) == 1
    assert len({episode.support.ways for episode in together}) == 1
    assert not torch.equal(together[0].query, together[1].query)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("features", [1, 2, 24])
def test_a_family_makes_as_many_features_as_asked(family, features):
    made, labels = family(np.random.default_rng(0), 60, Size(40, 20, features, 4))
    assert made.shape == (60, features)
    assert set(labels.tolist()) == {0, 1, 2, 3}


def test_categories_are_one_feature_each_and_missing_numbers_are_nan():
    rng, kinds, gaps = np.random.default_rng(0), 0, 0
    for _ in range(40):
        made = columns(rng, rng.standard_normal((50, 10)), 10).features
        kinds += int(((made == 0) | (made == 1)).all(0).sum())
        gaps += int(np.isnan(made).any())
    assert kinds > 40
    assert gaps > 4


def test_classes_of_a_score_are_unequal_in_some_tasks_and_have_two_rows_at_least():
    rng = np.random.default_rng(0)
    shares = [np.bincount(classes(rng, rng.standard_normal(60), 3), minlength=3) for _ in range(40)]
    assert min(counts.min() for counts in shares) >= 2
    assert max(counts.max() for counts in shares) > 40


def test_a_part_of_the_tasks_can_be_learned_from_few_rows():
    better = 0
    for seed in range(40):
        episode = draw_task(rng_of(2, seed), Size(64, 100, 4, 2))
        better += _nearest(episode) > torch.bincount(episode.targets, minlength=2).max().item() / 100 + 0.05
    assert better > 10


def _nearest(episode):
    """The accuracy of the nearest row."""
    rows, queries = (inputs.nan_to_num() for inputs in (episode.support.inputs, episode.query))
    scale = rows.std(0) + 1e-6
    nearest = torch.cdist(queries / scale, rows / scale).argmin(1)
    return (episode.support.targets[nearest] == episode.targets).float().mean().item()


def test_the_tables_to_choose_on_are_not_those_of_the_report():
    names = {table.name.split(":")[0] for table in choice_tables()}
    assert names == {"iris", "breast cancer"}
    assert all(len({*table.labels}) in (2, 3) for table in choice_tables())
    assert all(table.name.split(": ")[-1] not in table.rows[0] for table in choice_tables())


def test_validation_draws_real_and_synthetic_tables():
    validation = dataset_of("synthetic-tables").episodes(None, "validation", {"type": "table"})
    widths = {episode.support.inputs.shape[1] for episode in validation.episodes(Shape(3, 5, 5), 20, 0)}
    assert widths & {3, 4, 29, 30}
    assert len(widths) > 3


def test_standardised_values_have_mean_zero_and_variance_one():
    values = standardised(np.random.default_rng(0).uniform(5, 9, (100, 3)))
    assert np.allclose(values.mean(0), 0)
    assert np.allclose(values.std(0), 1, atol=1e-3)
