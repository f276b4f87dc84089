"""Episodes of the rows of a table."""

import gzip

import numpy as np
import pytest

from models.datasets import dataset_of
from models.datasets import tables as source
from models.datasets.episode import Shape
from models.datasets.table_tasks import CLASSIFICATION, REGRESSION, Task
from models.datasets.tables import Table, draw, read
from models.learner import Kind

CSV = "size,colour,class,price\n" + "".join(
    f"{i if i % 4 else ''},{('red', 'blue')[i % 2]},{'abc'[i % 3]},{2 * i}\n" for i in range(180)
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "toys.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    monkeypatch.setitem(source.CLASSIFICATION, "tables-report", (Task("toys", "class"), Task("toys", "price", 150)))
    monkeypatch.setitem(source.REGRESSION, "tables-report", (Task("toys", "price"),))
    return tmp_path


def test_no_table_is_both_to_choose_on_and_to_report():
    chosen, reported = (
        {task.table for tasks in (CLASSIFICATION, REGRESSION) for task in tasks[split]}
        for split in ("tables-choice", "tables-report")
    )
    assert not chosen & reported


def test_empty_cells_are_missing_and_numbers_are_numbers(folder):
    table = read(folder, Task("toys", "class"), Kind.CLASSIFICATION)
    assert table.rows[:2] == [
        {"size": None, "colour": "red", "price": 0.0},
        {"size": 1.0, "colour": "blue", "price": 2.0},
    ]
    assert table.labels[:4] == ["a", "b", "c", "a"]


def test_an_episode_has_rows_of_each_class(folder):
    episode = dataset_of("tables").episodes(folder, "tables-report", {"type": "table"})
    for shape in (Shape(3, 1, 2), Shape(2, 8, 4)):
        for one in episode.episodes(shape, 10, seed=0):
            support = one.support
            assert len(support.targets) == shape.ways * shape.shots
            assert set(support.targets.tolist()) == set(range(support.ways))
            assert one.query.shape[1] == support.inputs.shape[1]


def test_the_same_seed_draws_the_same_rows_and_none_twice():
    table = Table("t", [{"x": i} for i in range(40)], ["ab"[i % 2] for i in range(40)])
    one, other = (draw(table, np.random.default_rng(3), 10, 20, 2) for _ in range(2))
    assert one == other
    drawn = [row["x"] for row in (*one.rows, *one.queries)]
    assert len(set(drawn)) == len(drawn) == 30


def test_numbers_to_predict_have_variance_one(folder):
    dataset = dataset_of("tables-regression")
    assert dataset.kind is Kind.REGRESSION
    (episode,) = dataset.episodes(folder, "tables-report", {"type": "table"}).episodes(Shape(0, 90, 90), 1, seed=0)
    both = [*episode.support.targets.flatten().tolist(), *episode.targets.flatten().tolist()]
    assert np.var(both) == pytest.approx(1, abs=1e-5)
