"""The models that ship: each is what its recipe makes, and its figures are of the weights beside its card."""

import json
from dataclasses import asdict

import pytest

from benchmarks import methods
from models import checkpoint
from models.learner import Kind
from models.recipes import RECIPES
from service.cards import Catalogue
from service.settings import ZOO

CATALOGUE = Catalogue(ZOO)
NOT_SHIPPED = {"glyphs-strided", "glyphs-start", "glyphs-start-long", "glyphs-protonet-start"} | {
    "glyphs-28",
    "glyphs-28-mixed",
    "glyphs-best-28",
    "glyphs-best-28-start",
    "glyphs-best-40",
    "glyphs-best-40-start",
    "photos-ridge",
    "photos-ridge-128",
    "photos-128",
    "tables-icl",
    "navigate-maml-start",
    "navigate-rl2-start",
    "reach-ppo",
}
"""Other recipes start from these, join them or are compared with them. docs/tables.md says how far `tables-icl` is, and
docs/applications.md how far `reach-ppo`."""
over_models = pytest.mark.parametrize("name", list(CATALOGUE))


def test_every_recipe_has_its_model_and_every_model_its_recipe():
    assert set(CATALOGUE) == set(RECIPES) - NOT_SHIPPED


@over_models
def test_a_model_has_the_architecture_of_its_recipe(name):
    _, header = checkpoint.read(ZOO / f"{name}.safetensors")
    assert header["spec"] == RECIPES[name].spec
    recipe = json.loads(json.dumps(asdict(RECIPES[name])))
    said = CATALOGUE[name].training["recipe"]
    assert said == {key: recipe[key] for key in said}


@over_models
def test_a_card_agrees_with_its_learner(name):
    card, learner = CATALOGUE[name], checkpoint.load(ZOO / f"{name}.safetensors")
    sizes = ("deviations", "max_ways", "max_examples")
    limits = (*sizes, "several_labels", "weighted_examples", "transductive", "order_sensitive")
    for said in ("algorithm", "paper", "kind", *limits):
        assert getattr(card, said) == getattr(learner, said)


@over_models
def test_figures_were_measured_on_the_weights_that_ship(name):
    card = CATALOGUE[name]
    assert card.figures
    assert {figure.checkpoint for figure in card.figures} == {card.checkpoint}


@over_models
def test_the_probabilities_of_a_classifier_are_calibrated(name):
    card = CATALOGUE[name]
    assert card.kind == Kind.REGRESSION or card.temperature != 1.0


def test_the_page_of_the_methods_shows_the_figures_of_the_cards():
    page = methods.PAGE.read_text()
    assert methods.page(CATALOGUE, page) == page


@over_models
def test_a_regression_says_how_far_it_errs_with_few_examples(name):
    card = CATALOGUE[name]
    assert (card.errors is None) == (card.kind != Kind.REGRESSION)
    if card.errors is not None:
        assert card.errors.examples[-1] >= 99
        assert card.errors.levels[-1] == 0.99
