"""Temperatures and thresholds by number of classes and examples."""

import pytest
import torch

from models import checkpoint
from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.training.task_calibration import COVERAGES, shapes, task_calibration
from tests.models.learners import STRIDED
from tests.models.trainings import Blobs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def learner():
    torch.manual_seed(0)
    return checkpoint.build(Spec("protonet", "conv4", {}, STRIDED)).eval()


def test_only_shapes_that_the_classes_allow_are_measured(learner):
    assert {shape.ways for shape in shapes(learner, Blobs(12))} == {2, 5, 10}


def test_each_task_has_a_temperature_and_what_known_queries_reach(learner, monkeypatch):
    monkeypatch.setattr("models.training.task_calibration.ENCODED_ANSWERS", 1)
    monkeypatch.setattr("models.training.task_calibration.SHOTS", (1, 5))
    monkeypatch.setattr("models.training.task_calibration.WAYS", (2, 5))
    tasks = list(task_calibration(learner, Blobs(12), 0, CPU, 1.0))
    assert [task.shape for task in tasks] == [Shape(2, 1, 5), Shape(2, 5, 5), Shape(5, 1, 5), Shape(5, 5, 5)]
    for task in tasks:
        assert task.temperature > 0
        assert 0 <= task.error <= 1
        assert task.familiar is not None
        assert len(task.familiar) == len(COVERAGES)
        assert task.familiar == sorted(task.familiar, reverse=True)  # a larger share reaches only a lower one
