"""How each model of the zoo is trained: what `handful train NAME` does."""

from dataclasses import replace

from models.recipes.curves import CURVES
from models.recipes.drawings import ENCODERS
from models.recipes.gradient import GRADIENT
from models.recipes.metric import METRIC, TRANSFER
from models.recipes.molecules import MOLECULES
from models.recipes.navigate import IMITATION, NAVIGATE
from models.recipes.nodes import NODES
from models.recipes.patients import PATIENTS
from models.recipes.photos import PHOTOS
from models.recipes.reach import REACH
from models.recipes.recipe import Recipe
from models.recipes.tables import TABLES
from models.recipes.tastes import TASTES
from models.recipes.texts import TEXTS
from models.recipes.waves import WAVES
from models.registry import Registry

__all__ = ["RECIPES", "Recipe", "recipe_of"]

RECIPES: Registry[Recipe] = Registry(
    "handful.recipes",
    ENCODERS
    | METRIC
    | GRADIENT
    | TRANSFER
    | WAVES
    | CURVES
    | NODES
    | IMITATION
    | NAVIGATE
    | REACH
    | TEXTS
    | PHOTOS
    | TABLES
    | MOLECULES
    | PATIENTS
    | TASTES,
)


def recipe_of(name: str, steps: int | None = None) -> Recipe:
    """The recipe of this name, with another number of steps if one is given. Raises ValueError for an unknown name."""
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}; there are {', '.join(RECIPES)}")
    return replace(RECIPES[name], steps=RECIPES[name].steps if steps is None else steps)
