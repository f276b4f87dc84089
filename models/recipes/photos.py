"""The models of photos: a pre-trained encoder, and a head that is meta-trained on groceries."""

from dataclasses import replace
from typing import Any

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe

PHOTO: dict[str, Any] = {"type": "photo", "size": 224, "crop": 1.0, "resample": "bicubic"}
GATED: dict[str, Any] = {"classes": 45, "shrinkage": 0.2, "threshold": 0.2, "width": 0.02}
"""Shrinkage, steps and learning rate were chosen on the validation classes. The threshold lies between the similarity
of these classes (0.29) and of photos of other kinds, hands (0.08) and fruits (0.15)."""

_PHOTOS = Recipe(
    title="Photos of products and other objects, any number of classes and examples",
    spec=Spec("gated-ridge", "efficientnet-lite", GATED, {"layout": 2}),
    dataset="photos",
    training_split="grocery-train",
    validation_split="grocery-val",
    episode=Shape(20, 1, 5),
    validation_episode=Shape(10, 1, 5),
    steps=400,
    tasks_per_step=1,
    lr=1e-3,
    alternating=(Shape(20, 5, 5),),
    input=PHOTO,
    limits=("One object in the middle of a photo: what lies outside of the central square is cut off.",),
    pretrained="efficientnet-lite0",
    stored_precision="float16",
)
PHOTOS: dict[str, Recipe] = {
    "photos": _PHOTOS,
    "photos-ridge": replace(
        _PHOTOS,
        title="Ridge regression on the same encoder, without meta-training: the baseline",
        spec=Spec("ridge", "efficientnet-lite", {"normalised": True, "scale": 10.0}, {"stage_features": False}),
        steps=0,
        alternating=(),
    ),
}
PHOTOS["photos-ridge-128"] = replace(
    PHOTOS["photos-ridge"],
    title="The same baseline at 128 pixels",
    input=PHOTO | {"size": 128},
)
PHOTOS["photos-128"] = replace(_PHOTOS, title="The same at 128 pixels, for speed", input=PHOTO | {"size": 128})
