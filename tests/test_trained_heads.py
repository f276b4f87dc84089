"""The rows of benchmarks/heads.py that are meta-trained."""

from itertools import count

import numpy as np
import pytest
import torch

from benchmarks import trained_heads
from benchmarks.heads import Table, row, shapes
from benchmarks.learners_on_features import Frozen, Head
from benchmarks.trained_heads import LEARNED, corrected, trained
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


@pytest.fixture
def short(monkeypatch):
    """Trainings of half a second, which are validated at the start and twice more."""
    monkeypatch.setattr(trained_heads, "SECONDS", 0.5)
    monkeypatch.setattr(trained_heads, "CHECKS", 2)


def changed(monkeypatch, title, scores):
    """Whether a training changes the weights when its validations find these accuracies."""
    monkeypatch.setattr(trained_heads, "_accuracy", lambda *_: next(scores))
    learner = corrected(title, 32)
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    kept = trained(learner, blobs(8, 12, 32), blobs(5, 12, 32), LEARNED[title][3])
    return any(not torch.equal(value, before[key]) for key, value in kept.state_dict().items())


@pytest.mark.parametrize("title", list(LEARNED))
def test_the_weights_with_the_best_validation_are_kept(monkeypatch, short, title):
    assert changed(monkeypatch, title, count())
    assert not changed(monkeypatch, title, count(step=-1))


@pytest.mark.parametrize("title", list(LEARNED))
def test_a_learner_is_validated_with_as_many_examples_as_it_takes(monkeypatch, title):
    monkeypatch.setattr(trained_heads, "VALIDATION_EPISODES", 1)
    assert 0.9 < trained_heads._accuracy(corrected(title, 32).eval(), blobs(25, 12, 32)) <= 1.0


@pytest.mark.parametrize("title", list(LEARNED))
def test_a_learner_starts_as_cosine_prototypes(title):
    episode = blobs(5, 12, 32).episode(rng_of(1, 0), Shape(5, 2, 3))
    plain = LEARNERS["cosine"](Frozen(32), scale=20.0).eval()
    expected = plain.answer(episode.support, episode.query)
    torch.testing.assert_close(corrected(title, 32).eval().answer(episode.support, episode.query), expected)


def test_a_setting_with_more_examples_than_a_learner_takes_is_left_out(monkeypatch):
    sampler = blobs(8, 20, 16)
    learner = LEARNERS["protonet"](Frozen(16)).eval()
    head = Head(
        "few", lambda options: lambda each: learner.answer(each.support, each.query), lambda *_: sampler, most=10
    )
    found = row(Table("texts", shapes((5, 1), (5, 5)), 2), head, None, None)
    assert list(found["settings"]) == ["5-way 1-shot"]
