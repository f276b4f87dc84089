"""Recipes for drawings: common parts, and encoders that are trained from scratch."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe

STRIDED: dict[str, Any] = {"reduction": "stride", "norm": "group"}
CENTRED = STRIDED | {"centred": True}
LIMITS = ("For line drawings in one colour that fill the image, not for photographs.",)
FINE = {"type": "drawing", "size": 40}
SHARP = Spec("cosine", "resnet", {"test_time_augmentation": 3})
PAIR = replace(SHARP, encoder="ensemble", encoder_options={"size": 40, "sizes": [40, 28], "scales": [1.0, 0.7]})


def drawings(
    title: str,
    spec: Spec,
    *,
    steps: int,
    episode: Shape,
    scheme: str = "vinyals",
    augment: str | None = "elastic",
    **options: Any,
) -> Recipe:
    """A recipe on Omniglot, with the weights that are best on 20-way 1-shot episodes of the validation classes."""
    return Recipe(
        title=title,
        spec=spec,
        dataset="omniglot",
        training_split=f"{scheme}-train",
        validation_split=f"{scheme}-val",
        episode=episode,
        validation_episode=Shape(20, 1, 5),
        steps=steps,
        limits=LIMITS,
        dataset_options={"augment": augment} if augment else {},
        **options,
    )


def many_ways(title: str, spec: Spec, *, steps: int, weight_decay: float = 0.02, **options: Any) -> Recipe:
    """60 classes an episode, which generalises to fewer (Snell et al. 2017, table 4)."""
    return drawings(
        title,
        spec,
        steps=steps,
        episode=Shape(60, 1, 3),
        tasks_per_step=1,
        lr=2e-3,
        weight_decay=weight_decay,
        precision="bfloat16",
        **options,
    )


def _within_alphabets(title: str, spec: Spec, **options: Any) -> Recipe:
    """Half of the classes of an episode are of one alphabet, and all of them in a validation."""
    recipe = many_ways(title, spec, scheme="alphabets", **options)
    return replace(recipe, episode=Shape(60, 1, 3, similar=0.5), validation_options={"within": True})


def _in_two_parts(name: str, recipe: Recipe, *, steps: int) -> dict[str, Recipe]:
    """A training on distorted drawings, then its end of so many steps on drawings as they are."""
    start = f"{name}-start"
    return {
        start: replace(recipe, title=f"{recipe.title}, of distorted drawings"),
        name: replace(recipe, start=start, dataset_options={}, steps=steps, restarts=()),
    }


def _pair(recipe: Recipe, *members: str) -> Recipe:
    """Two trained encoders side by side. The scales were chosen on the validation alphabets."""
    return replace(recipe, members=members, input=FINE, stored_precision="float16")


BEST_28 = many_ways("Of the Vinyals split, 28 pixels", SHARP, steps=20_000, restarts=(11_000,))
BEST_40 = replace(many_ways("Of the Vinyals split, 40 pixels", SHARP, steps=6_000), input=FINE)
NEAREST = many_ways("Nearest prototype", Spec("protonet", "conv4"), steps=6_000, weight_decay=0.0)

ENCODERS: dict[str, Recipe] = {
    **_in_two_parts("glyphs-best-28", BEST_28, steps=1_500),
    **_in_two_parts("glyphs-best-40", BEST_40, steps=3_000),
    "glyphs-best": _pair(
        many_ways("The most accurate on the Vinyals split", PAIR, steps=0), "glyphs-best-40", "glyphs-best-28"
    ),
    "glyphs-28-mixed": many_ways("Of alphabets, 28 pixels", SHARP, steps=4_500, scheme="alphabets"),
    "glyphs-28": replace(
        _within_alphabets(
            "Of similar characters, 28 pixels", SHARP, steps=15_000, restarts=(6_000,), start="glyphs-28-mixed"
        ),
        validation_options={},
    ),
    "glyphs": replace(
        _within_alphabets(
            "Characters of new alphabets, any number of classes and examples",
            SHARP,
            steps=22_500,
            restarts=(6_000, 15_000),
        ),
        input=FINE,
    ),
    "glyphs-large": _pair(
        _within_alphabets("Characters of new alphabets, by two encoders", PAIR, steps=0), "glyphs", "glyphs-28"
    ),
    **_in_two_parts("glyphs-protonet", NEAREST, steps=2_000),
    "glyphs-strided": many_ways(
        "An encoder without batch statistics", Spec("protonet", "conv4", encoder_options=STRIDED), steps=6_000
    ),
    "glyphs-start": many_ways(
        "The same with centred features",
        Spec("protonet", "conv4", encoder_options=CENTRED),
        steps=15_000,
        restarts=(1_000,),
        start="glyphs-strided",
    ),
}
