"""The rows of benchmarks/heads.py that are meta-trained."""

import numpy as np
import pytest
import torch

from benchmarks import trained_heads
from benchmarks.heads import Table, row, shapes
from benchmarks.learners_on_features import Frozen, Head
from benchmarks.trained_heads import LEARNED, clinc150_training, trained
from models.datasets.episode import Shape, rng_of
from models.datasets.pool import Pool
from models.learners import LEARNERS


def blobs(classes: int, each: int, width: int) -> Pool:
    """Separate classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(classes).repeat(each)
    centres = rng.normal(size=(classes, width))
    points = torch.from_numpy(centres[labels] + 0.1 * rng.normal(size=(len(labels), width))).float()
    anywhere = np.ones(len(labels), dtype=bool)
    return Pool(lambda indices: points[torch.from_numpy(indices)], labels, anywhere, anywhere)


@pytest.mark.parametrize("title", list(LEARNED))
def test_a_learner_is_trained_on_features_and_answers(monkeypatch, title):
    monkeypatch.setattr(trained_heads, "SECONDS", 0.5)
    monkeypatch.setattr(trained_heads, "EVERY", 1)
    monkeypatch.setattr(trained_heads, "VALIDATION_EPISODES", 1)
    name, encoder, options, queries = LEARNED[title]
    torch.manual_seed(0)
    learner = LEARNERS[name](encoder(32), **options)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    kept = trained(learner, blobs(8, 12, 32), blobs(5, 12, 32), queries)
    assert any(not torch.equal(value, before[key]) for key, value in kept.state_dict().items())
    episode = blobs(5, 12, 32).episode(rng_of(1, 0), Shape(5, 2, 3))
    answers = kept.answer(episode.support, episode.query)
    assert answers.shape == (15, 5)
    assert answers.isfinite().all()


def test_a_setting_with_more_examples_than_a_learner_takes_is_left_out(monkeypatch):
    sampler = blobs(8, 20, 16)
    learner = LEARNERS["protonet"](Frozen(16)).eval()
    head = Head(
        "few", lambda options: lambda each: learner.answer(each.support, each.query), lambda *_: sampler, most=10
    )
    found = row(Table("texts", "val", "test", shapes((5, 1), (5, 5)), 2), head, None, None)
    assert list(found["settings"]) == ["5-way 1-shot"]


def test_training_classes_are_of_no_validation_or_test_domain():
    domains = ["travel", "travel", "banking", "work", "oos", "travel"]
    splits = ["train", "train", "train", "train", "train", "test"]
    labels = ["a", "b", "c", "d", "oos", "a"]
    pool = clinc150_training(labels, splits, domains, torch.arange(6.0)[:, None])
    assert pool.max_ways == 2
    assert pool.examples(np.arange(2)).flatten().tolist() == [0, 1]
