"""The recipe that `handful train` makes for data of the user's own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.own.splits import TRAIN, VALIDATION
from models.recipes.recipe import Recipe

TRAINED_LAYERS = 2
"""Last layers of a text encoder that are meta-trained."""
ROWS_PER_STEP, FEWEST_STEPS, MOST_STEPS = 2, 30, 400
"""Small data is soon learned by heart: steps grow with the rows."""
EPISODES = (Shape(24, 2, 2), Shape(24, 1, 1))
"""Shapes of training episodes, the first that the data has enough examples for."""
VALIDATION_EPISODES = (Shape(20, 5, 5), Shape(20, 2, 5), Shape(20, 1, 5))


def texts_recipe(
    title: str,
    spec: Spec,
    input: Mapping[str, Any],
    training: EpisodeSampler,
    validation: EpisodeSampler | None,
    options: Mapping[str, Any],
    rows: int,
) -> Recipe:
    """Meta-train the last layers of a text encoder on own texts.

    Args:
        title: For the card.
        spec: The model without training.
        input: The input of its card.
        training: The episodes of the training split.
        validation: Those of the validation split; None: there are none, and nothing is trained.
        options: The options that open the data again.
        rows: Number of examples to train on.
    """
    episode, judged = first_fit(training, EPISODES), first_fit(validation, VALIDATION_EPISODES)
    steps = min(MOST_STEPS, max(FEWEST_STEPS, rows // ROWS_PER_STEP)) if episode and judged else 0
    layers = {"trained_layers": spec.encoder_options.get("trained_layers") or TRAINED_LAYERS} if steps else {}
    return Recipe(
        title=title,
        spec=replace(spec, encoder_options=spec.encoder_options | layers),
        dataset="own-texts",
        training_split=TRAIN,
        validation_split=VALIDATION if judged else None,
        episode=episode or EPISODES[-1],
        validation_episode=judged or VALIDATION_EPISODES[-1],
        steps=steps,
        tasks_per_step=1,
        lr=5e-5,
        dataset_options=dict(options),
        validation_options=dict(options),
        precision="bfloat16",
        input=dict(input),
        keeps_start=True,
    )


def first_fit(sampler: EpisodeSampler | None, shapes: tuple[Shape, ...]) -> Shape | None:
    """The first shape of which the data has episodes, with no more ways and queries than there are."""
    fitted = (sampler.fitting(shape) for shape in shapes) if sampler else ()
    return next((shape for shape in fitted if shape), None)
