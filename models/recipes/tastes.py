"""The model of tastes: the ratings of one person, with a prior over persons."""

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.datasets.tastes import FEATURES
from models.recipes.recipe import Recipe

TASTES: dict[str, Recipe] = {
    "tastes": Recipe(
        title="How a new person rates films, from a few ratings",
        spec=Spec("alpaca", "identity", {"features": FEATURES}),
        dataset="tastes",
        training_split="made",
        validation_split="made",
        episode=Shape(0, 10, 20),
        alternating=(Shape(0, 3, 20), Shape(0, 25, 20)),
        validation_episode=Shape(0, 10, 20),
        steps=400,
        tasks_per_step=16,
        lr=0.06,
        input={"type": "vector", "length": FEATURES},
        outputs=1,
        limits=(
            "Trained on made people and made films: a start for your own ratings, not knowledge of films.",
            "A film is 21 numbers: 18 genres, (year - 1990) / 20, mean rating - 3.5, log(1 + number of ratings) / 4.",
        ),
    )
}
