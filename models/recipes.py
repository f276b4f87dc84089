"""How each model of the zoo is made: what `handful train NAME` does when nothing else is said."""

from dataclasses import dataclass, field, replace
from typing import Any

from models.checkpoint import Spec
from models.tasks.episode import Shape


@dataclass(frozen=True)
class Recipe:
    """One training. `validation` None: every class is trained on, and the last weights are kept."""

    title: str
    spec: Spec
    data: str
    validation: str | None
    episode: Shape
    validation_episode: Shape
    steps: int
    tasks_per_step: int
    rate: float
    augment: bool = False
    precision: str = "float32"
    input: dict[str, Any] = field(default_factory=lambda: {"type": "image", "size": 28})
    outputs: int | None = None
    limits: tuple[str, ...] = ()
    start: str | None = None
    """The recipe whose trained encoder this one starts from."""


_PROTONET = Spec("protonet", "conv4")
_STRIDED = {"reduction": "stride", "norm": "group"}
_DRAWINGS = (
    "Line drawings in one colour, about as large as the sheet: photographs mean nothing to it.",
    "Probabilities are not calibrated.",
)

RECIPES: dict[str, Recipe] = {
    "glyphs": Recipe(
        title="Characters of alphabets never seen, any number of classes and drawings",
        spec=_PROTONET,
        data="alphabets-trainval",
        validation=None,
        episode=Shape(60, 1, 5),
        validation_episode=Shape(20, 1, 5),
        steps=10_000,
        tasks_per_step=1,
        rate=2e-3,
        augment=True,
        precision="bfloat16",
        limits=_DRAWINGS,
    ),
    "glyphs-vinyals": Recipe(
        title="Omniglot by the Vinyals split, for the published table",
        spec=_PROTONET,
        data="vinyals-trainval",
        validation=None,
        episode=Shape(60, 1, 5),
        validation_episode=Shape(20, 1, 5),
        steps=12_000,
        tasks_per_step=1,
        rate=2e-3,
        augment=True,
        precision="bfloat16",
        limits=(
            *_DRAWINGS,
            "Trained on characters of the evaluation alphabets too: its figures stand for the Vinyals split only.",
        ),
    ),
    "glyphs-maml-start": Recipe(
        title="The encoder that glyphs-maml starts from: a prototypical network without batch statistics",
        spec=Spec("protonet", "conv4", encoder_options=_STRIDED),
        data="vinyals-train",
        validation="vinyals-val",
        episode=Shape(60, 1, 5),
        validation_episode=Shape(5, 1, 5),
        steps=7_000,
        tasks_per_step=1,
        rate=2e-3,
        augment=True,
        precision="bfloat16",
    ),
    "glyphs-maml": Recipe(
        title="Characters, up to five classes, every weight adapted to the client",
        spec=Spec("maml", "conv4", {"outputs": 5, "rate": 2.0, "steps": 1}, _STRIDED),
        start="glyphs-maml-start",
        data="vinyals-train",
        validation="vinyals-val",
        episode=Shape(5, 1, 5),
        validation_episode=Shape(5, 1, 5),
        steps=5_000,
        tasks_per_step=16,
        rate=3e-4,
        augment=True,
        limits=(
            "At most 5 classes.",
            "Meta-trained on one example a class: more examples help, but it was not trained for them.",
        ),
    ),
    "sinusoid": Recipe(
        title="Waves y = A sin(x - phase) from a handful of points",
        spec=Spec(
            "maml",
            "mlp",
            {"outputs": 1, "kind": "regression", "rate": 0.01, "steps": 1, "adapt_steps": 10},
            {"inputs": 1, "widths": [40, 40]},
        ),
        data="sinusoid",
        validation="sinusoid",
        episode=Shape(0, 5, 10),
        validation_episode=Shape(0, 5, 5),
        steps=70_000,
        tasks_per_step=25,
        rate=1e-3,
        input={"type": "vector", "length": 1},
        outputs=1,
        limits=("Waves of amplitude 0.1 to 5, phase 0 to pi and x from -5 to 5; elsewhere it guesses.",),
    ),
}


def recipe_of(name: str, steps: int | None = None) -> Recipe:
    """A recipe by name, with another number of steps if one is given. Raises ValueError when there is none."""
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}: there are {', '.join(RECIPES)}")
    return replace(RECIPES[name], steps=steps or RECIPES[name].steps)
