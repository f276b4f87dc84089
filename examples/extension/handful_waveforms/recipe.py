"""A recipe: what `handful train waveforms` does."""

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes import Recipe

LENGTH = 64

WAVEFORMS = Recipe(
    title="Waveforms of any length, told apart by their harmonics",
    spec=Spec("kernel-density", "spectrum", {}, {"length": LENGTH, "width": 16}),
    dataset="waveforms",
    training_split="train",
    validation_split="val",
    episode=Shape(10, 2, 5),
    validation_episode=Shape(5, 1, 5),
    steps=500,
    tasks_per_step=4,
    lr=1e-2,
    dataset_options={"noise": 0.3},
    input={"type": "series", "length": LENGTH},
    limits=("For periodic waves: a series is one period.",),
)
