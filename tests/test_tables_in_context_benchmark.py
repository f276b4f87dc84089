"""The learning curve of tables-icl: it reads weights and states of a training, and draws what it measures."""

import numpy as np
import torch
from torch.testing import assert_close

from benchmarks import tables_in_context as benchmark
from benchmarks.tables_in_context import Point
from models.datasets.synthetic_tables import SyntheticTables
from tests.models.learners import TABLE
from tests.models.trainings import Training

SMALL = Training(TABLE["tables-in-context"], steps=2, tasks=2, optimiser="muon", constant=True, averaging=0.9)


def test_a_state_and_its_weights_are_the_same_learner(tmp_path):
    run = SMALL.run(tmp_path)
    for _ in run.train(SyntheticTables(4), None, every=2):
        pass
    (steps, resumed), (none, saved) = (benchmark.opened(path) for path in (run.resume_path, run.weights_path))
    assert steps == 2
    assert none == 0
    assert_close(dict(resumed.state_dict()), dict(saved.state_dict()), rtol=0, atol=0)


def test_class_frequencies_score_what_they_say():
    episode = SyntheticTables(4).episode(np.random.default_rng(0), SMALL.episode)
    counts = torch.bincount(episode.support.targets).float()
    point = benchmark.measured(benchmark.OTHERS["class frequencies"], [episode])
    expected = (episode.targets == counts.argmax()).float().mean().item()
    assert_close(point.accuracy, expected)
    assert_close(point.log_loss, -(counts / counts.sum()).log()[episode.targets].mean().item(), rtol=1e-4, atol=1e-4)


def test_a_curve_is_drawn_beside_the_other_methods(tmp_path):
    groups = ("scikit-learn", "synthetic")
    others = {name: dict.fromkeys(groups, Point(0.7, 0.5)) for name in benchmark.OTHERS}
    curve = {steps: dict.fromkeys(groups, Point(0.6 + steps / 1000, 0.6)) for steps in (100, 200)}
    benchmark.draw(curve, others, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000
