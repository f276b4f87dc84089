"""Episodes of labelled texts, on a small imitation of the data."""

import json
from pathlib import Path

import pytest

from models.class_names import plain_words
from models.datasets import DATASETS
from models.datasets.episode import Shape, rng_of
from models.datasets.texts import HELD_OUT, TEST_DOMAINS, TRAINED_ON, VALIDATION_DOMAINS

INPUT = {"type": "text"}


def line(text: str, label: str, split: str, **more: object) -> str:
    return json.dumps({"text": text, "label": label, "split": split, **more})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six examples and four queries of each of three classes, in every set."""
    path = tmp_path_factory.mktemp("data")
    (path / "texts").mkdir()
    domains = ("travel", *VALIDATION_DOMAINS, *TEST_DOMAINS, "oos")
    for name in (*TRAINED_ON, *HELD_OUT):
        lines = [
            line(f"{name} {domain} {label} {split} {i}", f"{domain}_{label}", split, domain=domain)
            for domain in (domains if name == "clinc150" else ("any",))
            for label in ("open", "close", "ask")
            for split, count in (("train", 6), ("test", 4))
            for i in range(count)
        ]
        lines.append(line(f"{name} seen elsewhere", "any_open", "train", domain="travel", overlap=True))
        file = path / f"{name}.jsonl" if name == "clinc150" else path / "texts" / f"{name}.jsonl"
        file.write_text("\n".join(lines))
    return path


def drawn(data: Path, split: str, shape: Shape, count: int = 30):
    sampler = DATASETS["texts"].episodes(data, split, INPUT)
    return list(sampler.episodes(shape, count, seed=0))


def test_training_uses_neither_the_kept_domains_nor_the_kept_sets_nor_test_texts(data):
    texts = [text for one in drawn(data, "train", Shape(3, 2, 2), 200) for text in (*one.support.inputs, *one.query)]
    words = {word for text in texts for word in text.split()}
    assert words >= set(TRAINED_ON)
    assert not words & {"test", "oos", "elsewhere", *VALIDATION_DOMAINS, *TEST_DOMAINS, *HELD_OUT}


def test_a_training_text_is_never_support_and_query_of_one_episode(data):
    for one in drawn(data, "train", Shape(3, 2, 2)):
        assert not set(one.support.inputs) & set(one.query)


@pytest.mark.parametrize(("split", "domains"), [("val", VALIDATION_DOMAINS), ("test", TEST_DOMAINS)])
def test_evaluation_asks_test_texts_of_its_domains_after_training_texts(data, split, domains):
    for one in drawn(data, split, Shape(5, 2, 3)):
        assert all(text.split()[1] in domains and text.split()[3] == "train" for text in one.support.inputs)
        assert all(text.split()[1] in domains and text.split()[3] == "test" for text in one.query)
        assert (len(one.support.inputs), len(one.query), one.support.ways) == (10, 15, 5)


def test_texts_names_and_targets_belong_together(data):
    for one in drawn(data, "test", Shape(4, 1, 2)):
        for text, target in zip(one.query, one.targets, strict=True):
            _, domain, label, *_ = text.split()
            assert one.support.names[target] == plain_words(f"{domain}_{label}")


def test_a_set_with_fewer_classes_gives_all_it_has(data):
    assert {one.support.ways for one in drawn(data, "snips", Shape(10, 1, 1))} == {3}


def test_the_same_seed_draws_the_same_episode(data):
    sampler = DATASETS["texts"].episodes(data, "test", INPUT)
    first, second = (sampler.episode(rng_of(1, 2), Shape(3, 1, 1)) for _ in range(2))
    assert (first.support.inputs, first.query) == (second.support.inputs, second.query)


@pytest.mark.parametrize(
    ("label", "words"),
    [("card_arrival", "card arrival"), ("PlayMusic", "play music"), ("a/b", "a b"), ("Two words", "two words")],
)
def test_labels_become_plain_words(label, words):
    assert plain_words(label) == words
