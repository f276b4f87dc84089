"""The schedule of a training: the shape of the episodes and the learning rate at each step."""

import math
from itertools import pairwise

from models.datasets.episode import Shape
from models.recipes import Recipe


def share_done(recipe: Recipe, step: int) -> float:
    """The share of the steps that are done, 0 to 1."""
    return step / recipe.steps


def shape_at(recipe: Recipe, step: int) -> Shape:
    """The shape of the episodes of a step. The shapes of the recipe alternate."""
    shapes = (_main_shape(recipe, step), *recipe.alternating)
    return shapes[step % len(shapes)]


def _main_shape(recipe: Recipe, step: int) -> Shape:
    """The recipe's shape, or a step of the curriculum."""
    if recipe.curriculum is None:
        return recipe.episode
    last = recipe.steps / 2 if recipe.curriculum_steps is None else recipe.curriculum_steps
    return recipe.curriculum.towards(recipe.episode, min(1.0, step / last))


def learning_rate_at(recipe: Recipe, step: int) -> float:
    """The learning rate of a step (Loshchilov, Hutter 2017, arXiv:1608.03983).

    A cycle begins with a linear warm-up in its first hundredth and then falls to zero along a cosine. Each restart
    begins a new cycle. A constant rate has the warm-up only, over the first 200 steps.
    """
    if recipe.constant:
        return recipe.lr * min(1.0, (step + 1) / 200)
    begin, end = _cycle(recipe, step)
    done, length = step - begin, end - begin
    warmup = min(1.0, 100 * (done + 1) / length)
    return recipe.lr * warmup * (1 + math.cos(math.pi * done / length)) / 2


def _cycle(recipe: Recipe, step: int) -> tuple[int, int]:
    """The first step of the current cycle, and the step after its last."""
    marks = [0, *recipe.restarts, recipe.steps]
    return next((begin, end) for begin, end in pairwise(marks) if step < end)
