"""Episodes over own data."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from models.datasets.episode import Shape, rng_of
from models.datasets.own.episodes import EncodableEpisodes, tasks_of
from models.datasets.own.examples import NO_CLASS, Example
from models.datasets.own.rows import RowEpisodes, ValueEpisodes


def examples(classes: int, shots: int, split: str = "train", task: str = "", start: int = 0) -> list[Example]:
    return [
        Example(f"{task} class{c} {start + i}", f"Class_{c}", task, split, "")
        for c in range(classes)
        for i in range(shots)
    ]


def sampler(made: Sequence[Example], split: str) -> EncodableEpisodes:
    return EncodableEpisodes(lambda indices: [made[i].input for i in indices], tasks_of(made, split), list)


def test_support_and_queries_are_disjoint_and_belong_to_their_classes():
    for index in range(20):
        support, query, targets = sampler(examples(6, 5), "train").episode(rng_of(0, index), Shape(4, 2, 3))
        assert not set(support.inputs) & set(query)
        assert (len(support.inputs), len(query), support.ways) == (8, 12, 4)
        for texts, labels in ((support.inputs, support.targets), (query, targets)):
            for text, label in zip(texts, labels.tolist(), strict=True):
                assert text.split()[0] == support.names[label].replace(" ", "")


def test_support_of_known_classes_comes_from_training_and_queries_from_the_split():
    made = examples(3, 5) + examples(3, 2, "test", start=5)
    support, query, _ = sampler(made, "test").episode(rng_of(0, 0), Shape(3, 5, 5))
    assert all(int(text.split()[-1]) < 5 for text in support.inputs)
    assert sorted(query) == sorted(each.input for each in made if each.split == "test")


def test_classes_of_an_episode_come_from_one_task():
    made = examples(3, 4, task="one") + examples(3, 4, task="two")
    tasks = [sampler(made, "train").episode(rng_of(0, i), Shape(5, 1, 1)) for i in range(20)]
    assert {frozenset(text.split()[0] for text in each.support.inputs) for each in tasks} == {
        frozenset({"one"}), frozenset({"two"}),
    }  # fmt: skip


def test_an_episode_has_as_many_ways_and_queries_as_there_are():
    own = sampler(examples(3, 4), "train")
    assert own.fitting(Shape(20, 2, 9)) == Shape(3, 2, 2)
    assert own.fitting(Shape(2, 1, 1)) == Shape(2, 1, 1)
    assert own.fitting(Shape(2, 4, 1)) is None
    with pytest.raises(ValueError, match="give fewer shots"):
        own.episode(rng_of(0, 0), Shape(2, 4, 1))


def test_classes_have_equally_many_queries():
    made = [*examples(2, 9), *(Example(f"x {i}", "rare", "", "train", "") for i in range(3))]
    _, query, targets = sampler(made, "train").episode(rng_of(0, 0), Shape(3, 1, 5))
    assert torch.bincount(targets).tolist() == [2, 2, 2]
    assert len(query) == 6


def test_labels_without_words_are_no_names():
    made = [Example(f"t{c}{i}", str(c), "", "train", "") for c in range(3) for i in range(3)]
    assert sampler(made, "train").episode(rng_of(0, 0), Shape(3, 1, 1)).support.names is None


def test_each_example_and_each_name_is_encoded_once():
    calls: list[str] = []

    def encode(texts: list[str]) -> torch.Tensor:
        calls.extend(texts)
        return torch.tensor([[float(len(text))] for text in texts])

    made = examples(4, 4)
    plain = sampler(made, "train")
    encoded = plain.encoded(encode)
    for index in range(10):
        expected, got = (each.episode(rng_of(0, index), Shape(3, 2, 2)) for each in (plain, encoded))
        assert got.query.flatten().tolist() == [len(text) for text in expected.query]
        assert got.support.names.flatten().tolist() == [len(name) for name in expected.support.names]
    assert len(calls) == len(set(calls))


def test_labelled_examples_are_those_of_the_split():
    made = examples(3, 4) + examples(2, 3, "val", task="other")
    own = EncodableEpisodes(lambda indices: torch.from_numpy(indices).unsqueeze(1), tasks_of(made, "train"))
    features, classes = own.labelled()
    assert features.flatten().tolist() == list(range(12))
    assert classes.tolist() == np.arange(3).repeat(4).tolist()


def test_the_columns_of_rows_are_those_of_the_support():
    rows = [{"n": float(i), "c": "ab"[i % 2]} for i in range(8)]
    made = [Example(row, "xy"[i % 2], "", "train", "") for i, row in enumerate(rows)]
    episode = RowEpisodes(rows, tasks_of(made, "train")).episode(rng_of(0, 0), Shape(2, 2, 2))
    assert episode.support.inputs.shape == (4, 3)
    assert episode.query.shape == (4, 3)
    assert episode.support.names is None


def values(made: Sequence[Example], split: str) -> ValueEpisodes:
    tasks = [one for classes in tasks_of(made, split) for one in classes]
    numbers = torch.tensor([each.value for each in made], dtype=torch.float64)
    return ValueEpisodes([each.input for each in made], numbers, tasks)


def numbers(count: int, split: str = "train", task: str = "", start: int = 0) -> list[Example]:
    return [Example({"n": float(i)}, NO_CLASS, task, split, "", 10.0 * i) for i in range(start, start + count)]


def test_rows_of_a_regression_keep_their_numbers_and_are_not_asked_about_when_they_are_learned():
    for index in range(10):
        support, query, targets = values(numbers(12), "train").episode(rng_of(0, index), Shape(0, 5, 4))
        assert support.ways == 0
        assert support.targets.tolist() == (10 * support.inputs).tolist()
        assert targets.tolist() == (10 * query).tolist()
        assert not set(support.inputs.flatten().tolist()) & set(query.flatten().tolist())


def test_rows_of_a_regression_come_from_one_task_and_from_training_where_it_has_some():
    made = numbers(6, task="one") + numbers(6, task="two", start=100) + numbers(3, "test", task="two", start=200)
    for index in range(10):
        support, query, _ = values(made, "train").episode(rng_of(0, index), Shape(0, 3, 3))
        assert len({value < 50 for value in [*support.inputs.flatten().tolist(), *query.flatten().tolist()]}) == 1
    support, query, _ = values(made, "test").episode(rng_of(0, 0), Shape(0, 6, 5))
    assert (support.inputs.min() >= 100, support.inputs.max() < 200) == (True, True)
    assert sorted(query.flatten().tolist()) == [200, 201, 202]


def test_an_episode_of_a_regression_has_as_many_queries_as_there_are():
    own = values(numbers(6), "train")
    assert own.fitting(Shape(0, 4, 9)) == Shape(0, 4, 2)
    assert own.fitting(Shape(0, 6, 1)) is None
    with pytest.raises(ValueError, match="give fewer shots"):
        own.episode(rng_of(0, 0), Shape(0, 6, 1))
