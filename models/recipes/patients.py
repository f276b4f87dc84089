"""The model of patients: a prior of ridge regression, learned from other hospitals."""

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.datasets.patients import card_columns, scaling
from models.recipes.recipe import Recipe

PATIENTS: dict[str, Recipe] = {
    "patients": Recipe(
        title="Patients of a new hospital: heart disease or not",
        spec=Spec("ridge", "prior", {}, dict(scaling())),
        dataset="patients",
        training_split="without-va",
        validation_split="without-va",
        episode=Shape(2, 8, 24),
        alternating=(Shape(2, 4, 24), Shape(2, 16, 24)),
        validation_episode=Shape(2, 8, 24),
        steps=120,
        tasks_per_step=4,
        lr=0.03,
        input={"type": "record", "columns": card_columns()},
        limits=(
            "This is not a medical device. It shows how sites can share a prior; no diagnosis may rest on it.",
            "Learned from 720 patients of three hospitals in the 1980s, who were sent to have their arteries examined.",
            "The columns are those of the card. What is missing is null.",
        ),
    )
}
