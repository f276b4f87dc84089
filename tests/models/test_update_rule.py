"""A learned optimiser: its steps, how it is trained, and what may use it."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from models import update_rule
from models.checkpoint import Spec, build
from models.datasets.sinusoid import Sinusoid
from models.recipes import RECIPES
from models.training.meta_training import Run
from models.update_rule import RATES, UpdateRule
from service.commands.train import with_optimiser

WAVE = {"outputs": 1, "kind": "regression", "optimiser": "learned", "inner_steps": 3}
VECTOR = {"inputs": 1, "widths": [8]}


def test_before_training_a_step_is_that_of_sgd_and_of_adam_together():
    params = {"a": torch.randn(3, 2, generator=torch.Generator().manual_seed(0))}
    gradient = {"a": torch.randn(3, 2, generator=torch.Generator().manual_seed(1))}
    after = next(UpdateRule().trajectory(lambda _: gradient, params))
    expected = params["a"] - RATES[0] * gradient["a"] - RATES[1] * gradient["a"].sign()
    torch.testing.assert_close(after["a"], expected)


def test_the_order_of_coordinates_changes_nothing():
    rule, order = trained_a_little(), torch.tensor([2, 0, 1])
    params, target = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, 2.0])
    one = list(islice(rule.trajectory(lambda state: {"a": state["a"] - target}, {"a": params}), 4))
    other = list(islice(rule.trajectory(lambda state: {"a": state["a"] - target[order]}, {"a": params[order]}), 4))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a["a"][order], b["a"])


def trained_a_little() -> UpdateRule:
    """A rule whose network says something."""
    torch.manual_seed(0)
    rule = UpdateRule()
    torch.nn.init.normal_(rule.network[-1].weight)
    return rule.requires_grad_(False)


def test_the_rule_that_ships_minimises_a_bowl_that_it_has_not_seen():
    rule = UpdateRule()
    rule.load_state_dict(update_rule.shipped())
    params = {"a": torch.full((5,), 2.0)}
    *_, after = islice(rule.requires_grad_(False).trajectory(lambda state: {"a": state["a"] - 1}, params), 50)
    assert (after["a"] - 1).square().sum() < 0.5 * 5


def test_a_training_takes_the_rule_that_ships_and_leaves_it(tmp_path):
    recipe = replace(RECIPES["sinusoid"], spec=Spec("maml", "mlp", WAVE, VECTOR), steps=2, tasks_per_step=2)
    run = Run(recipe, tmp_path, "test")
    start = run.learner.encoder.state_dict()
    before = {name: value.clone() for name, value in start.items()}
    for _ in run.train(Sinusoid(), None, every=2):
        pass
    for name, value in update_rule.shipped().items():
        torch.testing.assert_close(run.learner.rule.state_dict()[name], value)
    after = run.learner.encoder.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_learners_that_make_their_own_steps_refuse_an_optimiser():
    with pytest.raises(ValueError, match="own updates"):
        build(Spec("meta-sgd", "mlp", WAVE, VECTOR))
    with pytest.raises(ValueError, match="sgd, learned"):
        build(Spec("maml", "mlp", WAVE | {"optimiser": "newton"}, VECTOR))


def test_a_recipe_takes_the_optimiser_where_its_learner_does():
    assert with_optimiser(RECIPES["sinusoid"], "learned").spec.learner_options["optimiser"] == "learned"
    for name in ("curves", "sinusoid-lstm", "navigate-maml"):
        with pytest.raises(ValueError, match="--optimiser"):
            with_optimiser(RECIPES[name], "learned")
