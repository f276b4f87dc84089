"""Evaluation: hand-computed scores, the interval, and episodes that depend on the seed only."""

import math

import pytest
import torch
from torch import nn

from models.datasets.episode import Shape
from models.datasets.sinusoid import Sinusoid
from models.learner import Episode, Kind, Support
from models.learners.protonet import ProtoNet
from models.training.evaluation import HEADLINE, evaluate, macro_f1, score_episode, summarise
from tests.models.learners import TABLE, fresh
from tests.models.trainings import Blobs

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("given", "targets", "ways", "expected"),
    [
        ([0, 1, 2], [0, 1, 2], 3, 1.0),
        ([1, 0], [0, 1], 2, 0.0),
        ([0, 0, 0, 0], [0, 0, 1, 1], 2, (2 / 3 + 0) / 2),  # class 0: 2 hits, 2 false; class 1: never answered
        ([0, 1, 1, 2, 2, 2], [0, 0, 1, 1, 2, 2], 3, (2 / 3 + 1 / 2 + 4 / 5) / 3),
        ([0, 0], [0, 0], 2, 0.5),  # class 1 is neither asked nor answered, and counts as 0
    ],
)
def test_macro_f1_equals_the_value_by_hand(given, targets, ways, expected):
    assert macro_f1(torch.tensor(given), torch.tensor(targets), ways) == pytest.approx(expected)


def test_accuracy_is_the_share_of_right_answers():
    everything = torch.ones(2, dtype=torch.bool)
    support = Support(torch.tensor([[0.0], [10.0]]), torch.tensor([0, 1]), everything, 2)
    episode = Episode(support, torch.tensor([[1.0], [2.0], [9.0], [3.0]]), torch.tensor([0, 0, 1, 1]))
    scores = score_episode(ProtoNet(nn.Identity()), episode)
    assert scores == pytest.approx({"accuracy": 0.75, "macro_f1": (4 / 5 + 2 / 3) / 2})


def test_regression_is_scored_by_squared_and_absolute_error():
    learner, tasks = fresh(TABLE["maml-sinusoid"]), Sinusoid()
    (scores,) = evaluate(learner, tasks, Shape(0, 5, 5), 1, seed=0, device=CPU)
    assert set(scores) == {"mse", "mae"}
    assert scores["mae"] ** 2 <= scores["mse"]


@pytest.mark.parametrize(("name", "tasks", "shape"), [
    ("protonet-pool-batch", Blobs(), Shape(3, 2, 2)),
    ("anil-sinusoid", Sinusoid(), Shape(0, 5, 5)),
])  # fmt: skip
def test_the_same_seed_gives_the_same_scores_and_another_seed_others(name, tasks, shape):
    learner = fresh(TABLE[name])
    figures = [list(evaluate(learner, tasks, shape, 6, seed, CPU)) for seed in (4, 4, 5)]
    assert figures[0] == figures[1] != figures[2]


def test_the_headline_is_the_first_score_of_its_kind():
    classified = next(evaluate(fresh(TABLE["protonet-stride-group"]), Blobs(), Shape(2, 1, 1), 1, 0, CPU))
    regressed = next(evaluate(fresh(TABLE["anil-sinusoid"]), Sinusoid(), Shape(0, 5, 5), 1, 0, CPU))
    assert next(iter(classified)) == HEADLINE[Kind.CLASSIFICATION]
    assert next(iter(regressed)) == HEADLINE[Kind.REGRESSION]


def test_an_evaluation_keeps_no_graph():
    learner = fresh(TABLE["maml-sinusoid"]).requires_grad_()
    list(evaluate(learner, Sinusoid(), Shape(0, 5, 5), 2, 0, CPU))
    assert all(parameter.grad is None for parameter in learner.parameters())


def test_the_interval_is_1_96_standard_errors_over_episodes():
    summary = summarise([{"accuracy": value} for value in (0.2, 0.4, 0.6, 0.8)])
    deviation = math.sqrt((0.09 + 0.01 + 0.01 + 0.09) / 3)
    assert summary["accuracy"] == pytest.approx({"mean": 0.5, "ci95": 1.96 * deviation / 2})


def test_every_score_has_its_own_interval():
    summary = summarise([{"mse": 1.0, "mae": 3.0}, {"mse": 3.0, "mae": 3.0}])
    assert summary["mse"] == pytest.approx({"mean": 2.0, "ci95": 1.96})
    assert summary["mae"] == {"mean": 3.0, "ci95": 0.0}


def test_one_episode_has_no_interval():
    assert math.isnan(summarise([{"accuracy": 1.0}])["accuracy"]["ci95"])


def test_a_diverged_score_has_no_interval():
    summary = summarise([{"mse": 1.0}, {"mse": math.inf}])["mse"]
    assert summary["mean"] == math.inf
    assert math.isnan(summary["ci95"])
