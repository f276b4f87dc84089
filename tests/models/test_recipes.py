"""The recipes of the zoo: each can be trained."""

from dataclasses import replace

import pytest
import torch

from models import checkpoint
from models.datasets import dataset_of
from models.learner import Kind
from models.recipes import RECIPES, recipe_of

over_recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


@over_recipes
def test_a_recipe_builds_its_learner_and_names_splits_of_its_dataset(recipe):
    learner, dataset = checkpoint.build(recipe.spec), dataset_of(recipe.dataset)
    assert {recipe.training_split, recipe.validation_split} <= {*dataset.splits, None}
    assert dataset.kind is learner.kind
    assert dataset.input_type == recipe.input["type"]
    assert (recipe.episode.ways == 0) == (learner.kind is Kind.REGRESSION)
    assert learner.max_ways is None or recipe.episode.ways <= learner.max_ways


@over_recipes
def test_a_learner_with_batch_norm_is_trained_one_task_at_a_time(recipe):
    layers = checkpoint.build(recipe.spec).modules()
    has_batch_norm = any(isinstance(layer, torch.nn.BatchNorm2d) for layer in layers)
    assert recipe.tasks_per_step == 1 or not has_batch_norm


@over_recipes
def test_a_recipe_has_the_same_encoder_as_the_recipe_it_starts_from(recipe):
    if recipe.start is None:
        pytest.skip("starts from fresh weights")
    assert recipe.training_split == RECIPES[recipe.start].training_split
    start = RECIPES[recipe.start].spec
    mine, theirs = (checkpoint.build(spec).encoder.state_dict() for spec in (recipe.spec, start))
    assert {name: value.shape for name, value in mine.items()} == {name: value.shape for name, value in theirs.items()}


@over_recipes
def test_an_ensemble_has_the_encoders_of_the_recipes_that_it_joins(recipe):
    if not recipe.members:
        pytest.skip("no ensemble")
    members = checkpoint.build(recipe.spec).encoder.members
    assert len(members) == len(recipe.members)
    for member, size, name in zip(members, recipe.spec.encoder_options["sizes"], recipe.members, strict=True):
        joined = RECIPES[name]
        own, theirs = member.state_dict(), checkpoint.build(joined.spec).encoder.state_dict()
        assert {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in theirs.items()}
        assert (joined.training_split, joined.input["size"]) == (recipe.training_split, size)


def test_a_recipe_is_found_by_name_and_takes_another_number_of_steps():
    assert recipe_of("sinusoid") == RECIPES["sinusoid"]
    assert recipe_of("sinusoid", steps=7) == replace(RECIPES["sinusoid"], steps=7)


def test_an_unknown_recipe_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'glyph'.*glyphs-maml"):
        recipe_of("glyph")


def test_a_recipe_is_listed_after_the_one_it_starts_from():
    order = list(RECIPES)
    for name, recipe in RECIPES.items():
        assert all(order.index(before) < order.index(name) for before in (recipe.start, *recipe.members) if before)
