"""Lake's one-shot runs, on a small imitation of all_runs.zip."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from models.datasets import dataset_of
from models.datasets.episode import Shape, rng_of
from models.training.evaluation import Predictions, summarise_trials, wilson
from tests.models.fake_lake_runs import CLASSES, RUNS, class_of, files, write_zip

DRAWING = {"type": "drawing", "size": 28}


@pytest.fixture(scope="module", params=["zip", "zip in a folder of its own", "folder"])
def path(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    if request.param == "folder":
        for name, content in files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder
    return write_zip(folder / "all_runs.zip", "" if request.param == "zip" else "all_runs/")


def test_the_twenty_runs_are_read_in_order_with_their_labels(path):
    sampler = dataset_of("omniglot").episodes(path, "lake-one-shot", DRAWING)
    episodes = list(sampler.episodes(Shape(20, 1, 1), RUNS, seed=0))
    assert len(episodes) == RUNS
    for r, episode in enumerate(episodes, 1):
        assert episode.support.inputs.shape == episode.query.shape == (CLASSES, 1, 28, 28)
        assert episode.support.ways == CLASSES
        assert episode.targets.tolist() == [class_of(r, item) for item in range(CLASSES)]
        assert_close(episode.support.inputs[episode.targets], episode.query)


def test_the_runs_cannot_be_trained_on(path):
    sampler = dataset_of("omniglot").episodes(path, "lake-one-shot", DRAWING)
    with pytest.raises(ValueError, match="for evaluation only"):
        sampler.episode(rng_of(0, 0), Shape(20, 1, 1))


def test_the_runs_have_no_options():
    with pytest.raises(ValueError, match="lake-one-shot is a fixed test: it has no options such as within"):
        dataset_of("omniglot").episodes(Path("all_runs.zip"), "lake-one-shot", DRAWING, within=True)


def test_a_missing_run_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lacks run01/class_labels.txt: give all_runs.zip"):
        dataset_of("omniglot").episodes(tmp_path, "lake-one-shot", DRAWING)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (390, 400, 0.9546, 0.9864),  # the roots p of (390/400 - p)² = 1.96² p (1 - p) / 400
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_the_wilson_interval_of_a_proportion(hits, trials, low, high):
    assert wilson(hits, trials) == pytest.approx((low, high), abs=2e-4)


def test_a_fixed_test_counts_its_trials_and_not_its_episodes():
    right = Predictions(torch.eye(4), torch.arange(4))
    wrong = Predictions(torch.eye(4), torch.tensor([1, 1, 2, 3]))
    accuracy = summarise_trials([right, wrong])["accuracy"]
    assert accuracy["mean"] == pytest.approx(7 / 8)
    assert accuracy["interval"] == wilson(7, 8)
