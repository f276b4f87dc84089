"""handful evaluate --seeds: the spread of a score over trainings."""

import json
import shutil

import pytest

from service.cards import Figure
from service.commands.evaluate import Setting
from service.commands.evaluate_seeds import evaluate_seeds, over
from service.settings import ZOO

WAVES = Setting("sinusoid-ridge", "sinusoid", "sinusoid", False, 0, 5, 5, 20, None, 0)
HOW = {"device": "cpu", "threads": 1}


@pytest.fixture
def two_trainings(tmp_path):
    """Two models of waves under the name of one."""
    for seed, trained in enumerate(("sinusoid-ridge", "sinusoid-anil")):
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        for ending in ("json", "safetensors"):
            shutil.copy(ZOO / f"{trained}.{ending}", folder / f"sinusoid-ridge.{ending}")
    return tmp_path


def figure(mean):
    return Figure(setting="K=5", metric="mse", mean=mean, ci95=0.1, episodes=20, command="")


def test_the_interval_over_trainings_is_students():
    # scipy.stats.t.interval(0.95, df=2, loc=2, scale=scipy.stats.sem([1, 2, 3]))
    mean, half = over([figure(1.0), figure(2.0), figure(3.0)])
    assert mean == 2.0
    assert half == pytest.approx(2.484, abs=1e-3)


def test_each_training_is_measured_on_the_same_episodes(two_trainings, capsys):
    evaluate_seeds(WAVES, None, two_trainings, 2, as_json=True, **HOW)
    found = json.loads(capsys.readouterr().out)
    first, second = found["by_training"]["mse"]
    assert first < second
    assert found["over_trainings"]["mse"]["mean"] == pytest.approx((first + second) / 2)


def test_the_table_has_a_row_for_each_training_and_one_for_all(two_trainings, capsys):
    evaluate_seeds(WAVES, None, two_trainings, 2, as_json=False, **HOW)
    printed = capsys.readouterr().out
    assert all(row in printed for row in ("seed 0", "seed 1", "over trainings", "mse"))


def test_a_missing_training_is_refused_with_the_command_that_makes_it(two_trainings):
    with pytest.raises(ValueError, match=r"run handful train sinusoid-ridge --seed 2 --out .*seed-2"):
        evaluate_seeds(WAVES, None, two_trainings, 3, as_json=False, **HOW)
