"""The effect of each training option on the accuracy on validation classes. Each training differs in one.

python -m benchmarks.options --data omniglot.npz      writes docs/options.json, which docs/methods.md shows
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from rich.console import Console

from models.checkpoint import Spec, load
from models.datasets import dataset_of
from models.datasets.episode import Shape
from models.recipes import RECIPES, Recipe
from models.training.evaluation import evaluate, summarise
from models.training.meta_training import Run

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs/options.json"
START = ROOT / "models/zoo/glyphs-proto-maml.safetensors"
STEPS, EPISODES, SEEDS = 1_500, 300, (0, 1)
TEST, SEED = Shape(20, 1, 5), 3_000_017
BASE = replace(RECIPES["glyphs-start"], steps=STEPS, restarts=(), validation_split=None, weight_decay=0.0)
PLAIN = {"augment": "affine"}


class Option(NamedTuple):
    """One change of the base recipe. `measured` are the splits that show its effect.

    A training starts from trained weights, unless these have seen classes that are measured.
    """

    title: str
    changes: dict[str, Any]
    measured: tuple[str, ...] = ("vinyals-val",)
    fresh: bool = False


def _dropout(recipe: Recipe) -> Spec:
    return replace(recipe.spec, encoder_options=recipe.spec.encoder_options | {"dropout": 0.1})


OPTIONS = {
    "start": Option("no training: the weights that the others start from", {"steps": 0}),
    "base": Option("none: 60-way 1-shot, rotations as classes, affine augmentation", {}),
    "no-augmentation": Option("no augmentation", {"dataset_options": {}}),
    "elastic": Option("elastic augmentation", {"dataset_options": {"augment": "elastic"}}),
    "ways": Option("curriculum: from 10 ways to 60", {"curriculum": Shape(10, 1, 3)}),
    "look-alikes": Option("look-alikes: half of the episodes of few alphabets", {"episode": Shape(60, 1, 3, 0.5)}),
    "curriculum": Option(
        "curriculum: from no look-alikes to half of the episodes",
        {"curriculum": Shape(60, 1, 3), "episode": Shape(60, 1, 3, 0.5)},
    ),
    "weight-decay": Option("weight decay 0.02", {"weight_decay": 0.02}),
    "dropout": Option("dropout 0.1 of the features", {"spec": _dropout(BASE)}),
    "label-noise": Option("a tenth of the support wrongly labelled", {"dataset_options": PLAIN | {"label_noise": 0.1}}),
    "no-rotations": Option("task augmentation off: upright characters only", {"dataset_options": PLAIN | {"forms": 1}}),
    "mirrors": Option(
        "task augmentation on: mirrored characters are classes too", {"dataset_options": PLAIN | {"forms": 8}}
    ),
    "unlabelled": Option(
        "self-supervised: each image a class, its shots moved copies",
        {"dataset_options": {"augment": "elastic", "unlabelled": True}},
    ),
    "shift": Option(
        "domain shift: trained on six alphabets, from fresh weights",
        {"training_split": "scripts-train"},
        ("scripts-near", "scripts-far"),
        fresh=True,
    ),
    "no-shift": Option(
        "the same, trained on all background alphabets but five",
        {"training_split": "alphabets-train"},
        ("scripts-near", "scripts-far"),
        fresh=True,
    ),
}


def main() -> None:
    """Train and measure the named options, or all. Options that are in the file are skipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("options", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.options or OPTIONS:
        found = json.loads(FILE.read_text()) if FILE.exists() else {}
        if name not in found:
            FILE.write_text(json.dumps(found | {name: effect(OPTIONS[name], given.data)}, indent=2) + "\n")
            Console().print(name, json.loads(FILE.read_text())[name])


def effect(option: Option, data: Path) -> dict[str, dict[str, Any]]:
    """Accuracy on each split: the mean over training seeds, that of each, and the interval over episodes of one."""
    recipe = replace(BASE, **({"dataset_options": PLAIN} | option.changes))
    per_seed = [list(scores(recipe, option, data, seed)) for seed in SEEDS]
    return {
        split: {
            "mean": fmean(one["mean"] for one in found),
            "ci95": fmean(one["ci95"] for one in found),
            "seeds": [one["mean"] for one in found],
        }
        for split, found in zip(option.measured, zip(*per_seed, strict=True), strict=True)
    }


def scores(recipe: Recipe, option: Option, data: Path, seed: int) -> Iterator[dict[str, float]]:
    """Train once, and the accuracy on each split."""
    dataset = dataset_of(recipe.dataset)
    training = dataset.episodes(data, recipe.training_split, recipe.input, **recipe.dataset_options)
    with TemporaryDirectory() as folder:
        run = Run(recipe, Path(folder), "option", seed=seed, starts=() if option.fresh else (START,))
        for _ in run.train(training, None, every=recipe.steps):
            pass
        learner = load(run.weights_path)
    for split in option.measured:
        sampler = dataset.episodes(data, split, recipe.input)
        found = evaluate(learner, sampler, TEST, EPISODES, SEED, torch.device("cpu"))
        yield summarise(list(found))["accuracy"]


def section() -> str:
    """The table of docs/methods.md."""
    found = json.loads(FILE.read_text())
    lines = ["| option | classes | accuracy, % | of each seed |\n", "| --- | --- | --- | --- |\n"]
    for name, splits in found.items():
        for split, one in splits.items():
            seeds = " / ".join(f"{100 * each:.2f}" for each in one["seeds"])
            accuracy = f"{100 * one['mean']:.2f} ± {100 * one['ci95']:.2f}"
            lines.append(f"| {OPTIONS[name].title} | {split} | {accuracy} | {seeds} |\n")
    return "".join(lines)


if __name__ == "__main__":
    main()
