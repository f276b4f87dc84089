"""handful evaluate: settings, their titles and their commands."""

import pytest
import torch

from models.training.evaluation import Predictions
from service.cards import Card
from service.commands.evaluate import Setting, dataset_and_split, measure, shape_and_count
from service.settings import ZOO
from tests.models.fake_lake_runs import write_zip

GLYPHS, WAVES = Card.read(ZOO / "glyphs.json"), Card.read(ZOO / "sinusoid.json")
NOTHING_GIVEN = (None, None, None, None)


def test_a_model_is_evaluated_on_its_own_dataset_by_default():
    assert dataset_and_split(WAVES, None, None) == ("sinusoid", "sinusoid")
    assert dataset_and_split(GLYPHS, None, None) == ("omniglot", "vinyals-test")
    assert dataset_and_split(GLYPHS, "sinusoid", None) == ("sinusoid", "sinusoid")


def test_a_card_without_a_recipe_needs_the_name_of_a_dataset():
    card = GLYPHS.model_copy(update={"training": {}})
    with pytest.raises(ValueError, match="the card of glyphs names no dataset: give --dataset"):
        dataset_and_split(card, None, None)


def test_a_command_names_the_dataset_only_where_it_is_not_the_models_own():
    setting = Setting("glyphs", "omniglot", "alphabets-test", True, 20, 1, 5, 100, None, 0)
    own = "handful evaluate glyphs --data omniglot.npz --split alphabets-test --within --ways 20 --shots 1 --queries 5"
    assert setting.command("omniglot") == f"{own} --episodes 100 --seed 0"
    assert setting.command("kanji").startswith("handful evaluate glyphs --dataset omniglot --data omniglot.npz")


def test_the_recorded_commands_and_titles_are_those_of_the_settings():
    for card, setting in [
        (GLYPHS, Setting("glyphs", "omniglot", "alphabets-test", True, 5, 1, 5, 1000, None, 0)),
        (WAVES, Setting("sinusoid", "sinusoid", "sinusoid", False, 0, 5, 10, 1000, 10, 0)),
    ]:
        recorded = next(figure for figure in card.figures if figure.setting == setting.title())
        measured = setting._replace(episodes=recorded.episodes)
        assert recorded.command == measured.command(setting.dataset)


def test_a_fixed_test_keeps_its_shape_and_refuses_another():
    assert shape_and_count("omniglot", "vinyals-test", *NOTHING_GIVEN) == (5, 1, 5, 1000)
    assert shape_and_count("omniglot", "vinyals-test", 20, None, None, 30) == (20, 1, 5, 30)
    assert shape_and_count("omniglot", "lake-one-shot", *NOTHING_GIVEN) == (20, 1, 1, 20)
    with pytest.raises(ValueError, match="lake-one-shot is a fixed test of 20 episodes, 20-way 1-shot"):
        shape_and_count("omniglot", "lake-one-shot", 5, None, None, None)


def test_lakes_runs_are_measured_with_a_wilson_interval_over_their_trials(tmp_path):
    size = shape_and_count("omniglot", "lake-one-shot", *NOTHING_GIVEN)
    setting = Setting("glyphs", "omniglot", "lake-one-shot", False, *size, None, 0)
    runs = write_zip(tmp_path / "all_runs.zip")
    figures = {figure.metric: figure for figure in measure(setting, ZOO / "glyphs.safetensors", runs, "cpu")}
    accuracy = figures["accuracy"]
    low, high = accuracy.interval
    assert 0 < low < accuracy.mean <= high <= 1
    assert accuracy.ci95 is None
    assert accuracy.value() == f"{accuracy.mean:.4f} ({low:.4f} to {high:.4f})"
    assert "--data all_runs.zip --split lake-one-shot" in accuracy.command


def test_the_calibration_error_is_that_of_the_temperature_which_is_served(tmp_path, monkeypatch):
    size = shape_and_count("omniglot", "lake-one-shot", *NOTHING_GIVEN)
    setting = Setting("glyphs", "omniglot", "lake-one-shot", False, *size, None, 0)
    runs, weights = write_zip(tmp_path / "all_runs.zip"), tmp_path / "glyphs.safetensors"
    weights.symlink_to(ZOO / "glyphs.safetensors")
    drawn = torch.randn(20, 20, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("service.commands.evaluate._predict", lambda *_: [Predictions(drawn, torch.arange(20))])

    def error(card: Card) -> float:
        card.write(weights.with_suffix(".json"))
        return next(each.mean for each in measure(setting, weights, runs, "cpu") if each.metric == "calibration_error")

    by_task = error(GLYPHS)
    assert error(GLYPHS.model_copy(update={"temperature": 100.0})) == by_task
    assert error(GLYPHS.model_copy(update={"temperature": 100.0, "calibration": None})) != by_task
