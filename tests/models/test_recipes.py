"""The recipes of the zoo: each can be built."""

from dataclasses import replace

import pytest
import torch

from models import checkpoint
from models.datasets import SPLITS
from models.learner import Kind
from models.recipes import RECIPES, recipe_of

over_recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


@over_recipes
def test_a_recipe_builds_its_learner_and_knows_its_data(recipe):
    learner = checkpoint.build(recipe.spec)
    assert recipe.data in SPLITS
    assert recipe.validation is None or recipe.validation in SPLITS
    assert (recipe.episode.ways == 0) == (learner.kind is Kind.REGRESSION)
    assert learner.max_ways is None or recipe.episode.ways <= learner.max_ways


@over_recipes
def test_a_learner_with_batch_norm_is_trained_one_task_at_a_time(recipe):
    layers = checkpoint.build(recipe.spec).modules()
    has_batch_norm = any(isinstance(layer, torch.nn.BatchNorm2d) for layer in layers)
    assert recipe.tasks_per_step == 1 or not has_batch_norm


@over_recipes
def test_a_recipe_and_its_start_have_encoders_of_the_same_shapes(recipe):
    if recipe.start is None:
        pytest.skip("starts from nothing")
    assert recipe.data == RECIPES[recipe.start].data
    start = RECIPES[recipe.start].spec
    mine, theirs = (checkpoint.build(spec).encoder.state_dict() for spec in (recipe.spec, start))
    assert {name: value.shape for name, value in mine.items()} == {name: value.shape for name, value in theirs.items()}


def test_a_recipe_is_found_by_name_with_another_number_of_steps():
    assert recipe_of("sinusoid") == RECIPES["sinusoid"]
    assert recipe_of("sinusoid", steps=7) == replace(RECIPES["sinusoid"], steps=7)


def test_an_unknown_recipe_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'glyph'.*glyphs-maml"):
        recipe_of("glyph")


def test_recipes_are_listed_after_what_they_start_from():
    order = list(RECIPES)
    assert all(order.index(recipe.start) < order.index(name) for name, recipe in RECIPES.items() if recipe.start)
