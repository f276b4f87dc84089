"""The recipes that `handful train` makes for data of the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.own.dataset import dataset_name
from models.datasets.own.splits import TRAIN, VALIDATION
from models.recipes.recipe import Recipe

TRAINED_LAYERS = 2
"""Last layers of a text encoder that are meta-trained."""
ROWS_PER_STEP, FEWEST_STEPS, MOST_STEPS = 2, 30, 400
"""Small data is soon learned by heart: the steps of texts grow with the rows."""
FEWEST_CLASSES = 4
"""Fewer classes of photos say nothing about others."""
SHAPES = {
    "text": (Shape(24, 2, 2), Shape(24, 1, 1)),
    "photo": (Shape(20, 1, 5), Shape(20, 1, 1)),
    "table": tuple(Shape(5, shots, 5) for shots in (8, 4, 2)),
}
"""Shapes of training episodes, of which the first is taken that the data has enough examples for."""
NUMBERS = tuple(Shape(0, rows, 20) for rows in (32, 16, 8, 4))
"""Shapes of training and validation episodes of a regression."""
VALIDATION_SHAPES = (Shape(20, 2, 5), Shape(20, 1, 5))
"""With few shots, so that the scores of few classes still tell models apart."""
TABLE_STEPS = 100
"""Only the prior of the ridge strength is learned, a number."""
MANY_ROWS = 2000
"""From so many photos on, the covariance within classes is trusted more."""


@dataclass(frozen=True)
class OwnTraining:
    """What a recipe for own data is made from.

    Args:
        title: For the card.
        base: The model before the training.
        input: The input of its card.
        options: The options that open the data again.
        training: The episodes to train on.
        validation: The episodes that choose the weights.
        rows: Examples to train on.
        classes: Their classes, in all tasks.
    """

    title: str
    base: Spec
    input: Mapping[str, Any]
    options: Mapping[str, Any]
    training: EpisodeSampler
    validation: EpisodeSampler
    rows: int
    classes: int

    def recipe(self) -> Recipe:
        """The recipe. It has no steps if there is too little data, or nothing to train."""
        type = self.input["type"]
        shapes = NUMBERS if self.regression else SHAPES[type]
        episode = first_fit(self.training, shapes)
        judged = first_fit(self.validation, shapes if type == "table" else VALIDATION_SHAPES)
        untrained = Recipe(
            title=self.title,
            spec=self.base,
            dataset=dataset_name(type, regression=self.regression),
            training_split=TRAIN,
            validation_split=VALIDATION if judged else None,
            episode=episode or shapes[-1],
            validation_episode=judged or VALIDATION_SHAPES[-1],
            steps=0,
            tasks_per_step=1,
            lr=0.0,
            dataset_options=dict(self.options),
            validation_options=dict(self.options),
            input=dict(self.input),
            outputs=1 if self.regression else None,
        )
        if not (episode and judged):
            return untrained
        make = {"text": self._texts, "photo": self._photos, "table": self._rows}[type]
        return make(untrained)

    @property
    def regression(self) -> bool:
        """Whether numbers are predicted."""
        return bool(self.base.learner_options.get("kind") == "regression")

    def _texts(self, recipe: Recipe) -> Recipe:
        """Train the last layers of the encoder."""
        layers = {"trained_layers": self.base.encoder_options.get("trained_layers") or TRAINED_LAYERS}
        spec = replace(self.base, encoder_options=self.base.encoder_options | layers)
        steps = min(MOST_STEPS, max(FEWEST_STEPS, self.rows // ROWS_PER_STEP))
        return replace(recipe, spec=spec, steps=steps, lr=5e-5, precision="bfloat16")

    def _photos(self, recipe: Recipe) -> Recipe:
        """Fit whitening and learned views on the frozen encoder."""
        if self.classes < FEWEST_CLASSES:
            return recipe
        gated = {"classes": self.classes, "shrinkage": 0.2 if self.rows >= MANY_ROWS else 0.9}
        spec = Spec("gated-ridge", self.base.encoder, gated, self.base.encoder_options)
        return replace(recipe, spec=spec, steps=MOST_STEPS, lr=1e-3, stored_precision="float16")

    def _rows(self, recipe: Recipe) -> Recipe:
        """Learn how strongly the rows of a client are smoothed."""
        return replace(recipe, steps=TABLE_STEPS, lr=0.05) if self.base.learner == "kernels" else recipe


def first_fit(sampler: EpisodeSampler, shapes: tuple[Shape, ...]) -> Shape | None:
    """The first shape of which the data has episodes, with no more ways and queries than there are."""
    return next(filter(None, map(sampler.fitting, shapes)), None)
