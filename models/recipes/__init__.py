"""How each model of the zoo is made: what `handful train NAME` does when nothing else is said."""

from dataclasses import replace

from models.recipes.drawings import ENCODERS
from models.recipes.gradient import GRADIENT
from models.recipes.metric import METRIC, TRANSFER
from models.recipes.recipe import Recipe
from models.recipes.waves import WAVES

__all__ = ["RECIPES", "Recipe", "recipe_of"]

RECIPES: dict[str, Recipe] = ENCODERS | METRIC | GRADIENT | TRANSFER | WAVES


def recipe_of(name: str, steps: int | None = None) -> Recipe:
    """A recipe by name, with another number of steps if one is given. Raises ValueError when there is none."""
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}: there are {', '.join(RECIPES)}")
    return replace(RECIPES[name], steps=RECIPES[name].steps if steps is None else steps)
