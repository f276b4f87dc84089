"""The alphabets that `glyphs` errs in most, and the characters that it confuses most, as docs/hard-cases.png.

    python -m benchmarks.hard_cases --data omniglot.npz

Episodes are 20-way 1-shot within one evaluation alphabet, with 5 queries of each class. Nothing is chosen by them.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from copy import copy
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from models import checkpoint
from models.datasets.characters import DRAWINGS, load
from models.datasets.episode import Shape
from models.datasets.omniglot import OMNIGLOT, UndistortedSampler
from models.functional import encode_many
from models.learner import Learner
from service.cards import Catalogue
from service.settings import ZOO

MODEL, SPLIT, SHAPE = "glyphs", "alphabets-test", Shape(20, 1, 5)
PICTURE = Path(__file__).parents[1] / "docs/hard-cases.png"
PAIRS, SHOWN = 12, 8
"""Pairs of characters in the picture, and drawings of each character."""
FEWEST = 200
"""Queries of a pair from which its errors are counted."""

Pair = tuple[int, int]


class Found(NamedTuple):
    """Queries and errors, by class (the first two) and by pair of classes that met in an episode."""

    asked: Counter[int]
    wrong: Counter[int]
    met: Counter[Pair]
    confused: Counter[Pair]


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=20_000)
    given = parser.parse_args()
    input = Catalogue(ZOO)[MODEL].input.model_dump()
    sampler = OMNIGLOT.open(given.data, SPLIT, input, within=True)
    assert isinstance(sampler, UndistortedSampler)
    found = measure(checkpoint.load(ZOO / f"{MODEL}.safetensors"), sampler, given.episodes)
    names = load(given.data, input["size"]).names
    draw(found, sampler, [names[member].split("/")[0] for member, _ in sampler.classes], PICTURE)


@torch.no_grad()
def measure(learner: Learner, sampler: UndistortedSampler, episodes: int, shape: Shape = SHAPE) -> Found:
    """Count the errors in 1-shot episodes, and which classes they confuse."""
    features, _ = sampler.encoded(lambda images: encode_many(learner, images)).labelled()
    numbered = copy(sampler)
    numbered.examples = torch.from_numpy  # the number of each drawing in place of the drawing
    found = Found(Counter(), Counter(), Counter(), Counter())
    for episode in track(numbered.episodes(shape, episodes, 0), "Episodes", total=episodes):
        support = episode.support
        state = learner.adapt(support._replace(inputs=features[support.inputs]))
        answers = learner.predict(state, features[episode.query]).argmax(-1)
        _count(found, (support.inputs // DRAWINGS).tolist(), episode.targets.tolist(), answers.tolist())
    return found


def _count(found: Found, classes: list[int], targets: list[int], answers: list[int]) -> None:
    """Add the answers of one episode, indices into its classes."""
    of_each = len(targets) // len(classes)
    found.asked.update(dict.fromkeys(classes, of_each))
    found.met.update(dict.fromkeys(combinations(sorted(classes), 2), 2 * of_each))
    wrong = [(classes[t], classes[a]) for t, a in zip(targets, answers, strict=True) if t != a]
    found.wrong.update(target for target, _ in wrong)
    found.confused.update((min(pair), max(pair)) for pair in wrong)


def hardest(found: Found, fewest: int = FEWEST) -> list[tuple[Pair, float]]:
    """The pairs of classes by the share of their queries that get the other one as the answer, most first."""
    shares = [(pair, found.confused[pair] / met) for pair, met in found.met.items() if met >= fewest]
    return sorted(shares, key=lambda each: -each[1])


def by_alphabet(found: Found, alphabets: Sequence[str]) -> list[tuple[str, int, int]]:
    """Each alphabet with its errors and its queries, most errors first."""
    asked, wrong = Counter[str](), Counter[str]()
    for each, count in found.asked.items():
        asked[alphabets[each]] += count
        wrong[alphabets[each]] += found.wrong[each]
    return sorted(((name, wrong[name], asked[name]) for name in asked), key=lambda each: -each[1] / each[2])


def draw(found: Found, sampler: UndistortedSampler, alphabets: Sequence[str], path: Path) -> None:
    """Draw the error of each alphabet beside the pairs that are confused most, into a PNG."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2, 3), squeeze=False)[0]
    _draw_alphabets(left.subplots(), by_alphabet(found, alphabets))
    right.suptitle("pairs that are confused most: the share of their queries that get the other answer")
    places = right.subplots(PAIRS // 2, 2).flat
    for axes, (pair, share) in zip(places, hardest(found), strict=False):
        rows = [_row(sampler, each) for each in pair]
        axes.imshow(np.concatenate(rows), cmap="gray_r")
        axes.set_title(f"{alphabets[pair[0]].replace('_', ' ')}: {share:.0%}", fontsize=9)
        axes.set_axis_off()
    figure.savefig(path, dpi=110)


def _draw_alphabets(axes: Axes, rows: Sequence[tuple[str, int, int]]) -> None:
    names = [name.replace("_", " ") for name, _, _ in rows]
    axes.barh(names, [100 * wrong / asked for _, wrong, asked in rows], color="tab:blue")
    axes.invert_yaxis()
    axes.set(title="error within each alphabet, 20-way 1-shot, %")
    axes.spines[["top", "right"]].set_visible(False)


def _row(sampler: UndistortedSampler, of: int) -> NDArray[np.float32]:
    """The first drawings of a class side by side, (size, SHOWN * size)."""
    drawings: Tensor = sampler.examples(of * DRAWINGS + np.arange(SHOWN))
    return np.concatenate(list(drawings[:, 0].numpy()), axis=1)


if __name__ == "__main__":
    main()
