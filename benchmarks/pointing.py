"""The table of docs/explain.md on inputs of which only a part speaks for the answer: whether the explanation finds it.

    python -m benchmarks.pointing --data FOLDER   # the data sets

A photo of a class of the client becomes a quarter of a larger one, beside photos of classes that it does not have: the
grid pointing game of Boehle, Fritz, Schiele 2021, arXiv:2104.00032. A text of a class is joined with one of a class
that it does not have.
"""

import argparse
import base64
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from benchmarks.explanations import PAGE
from benchmarks.methods import filled, table
from models import checkpoint
from models.class_names import plain_words
from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler, Shape
from models.functional import encode_many
from models.learner import Episode, Learner, Support
from service.arrays import Array
from service.cards import Card, Catalogue
from service.inputs.parts import InputWeights
from service.inputs.saliency import FOR
from service.settings import ZOO
from service.use_cases.explanation import explained

WAYS, SHOTS = 5, 5
HEAD = ["inputs", "queries", "strongest part is right", "by chance", "weight on the right part", "by chance"]


class Joined(NamedTuple):
    """An input of several parts (1, *input), and the share of its weight for the answer that is on the right part,
    and whether the largest weight is."""

    inputs: Any
    judge: Callable[[InputWeights], tuple[bool, float]]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for model, title, chance, join in (("photos", "quarters", 25, mosaic), ("texts", "halves", 50, sentence)):
        found = [each for seed in range(given.episodes) for each in measured(model, given.data, join, seed)]
        hits, shares = (100 * fmean(each) for each in zip(*found, strict=True))
        rows.append([f"{model}, {title}", *(f"{each:.0f}" for each in (len(found), hits, chance, shares, chance))])
        Console().print(rows[-1])
        PAGE.write_text(filled(PAGE.read_text(), {"pointing": table(HEAD, rows)}))


@torch.no_grad()
def measured(
    model: str, data: Path, join: Callable[[Any, list[Any], np.random.Generator], Joined], seed: int
) -> list[tuple[bool, float]]:
    """The joined inputs of one client that are answered with their class."""
    rng, (card, learner, sampler) = np.random.default_rng(seed), opened(model, data)
    episode = sampler.episode(rng, Shape(2 * WAYS, SHOTS, 1))
    support = client_of(learner, episode)
    state, order = learner.adapt(support), episode.targets.tolist()
    queries = {target: episode.query[row] for row, target in enumerate(order)}
    found = []
    for target in range(WAYS):
        others = [queries[WAYS + int(each)] for each in rng.permutation(WAYS)]
        joined = join(queries[target], others, rng)
        answers = learner.predict(state, encode_many(learner, joined.inputs)).numpy()
        if answers.argmax() == target:
            found.append(joined.judge(weights_of(card, learner, state, joined.inputs, answers)))
    return found


@cache
def opened(model: str, data: Path) -> tuple[Card, Learner, EpisodeSampler]:
    """A model and its test episodes."""
    card, dataset = Catalogue(ZOO)[model], dataset_of(model)
    sampler = dataset.episodes(data, dataset.test_split, card.input.model_dump())
    return card, checkpoint.load(ZOO / f"{model}.safetensors"), sampler


def client_of(learner: Learner, episode: Episode) -> Support:
    """The first classes of an episode, encoded."""
    own = torch.nonzero(episode.support.targets < WAYS).flatten().tolist()
    inputs = episode.support.inputs
    chosen = [inputs[i] for i in own] if isinstance(inputs, list) else inputs[own]
    names = episode.support.names
    encoded = None if names is None else encode_many(learner, [plain_words(str(each)) for each in names[:WAYS]])
    features = encode_many(learner, chosen)
    return Support(features, episode.support.targets[own], torch.ones(len(own), dtype=torch.bool), WAYS, encoded)


def weights_of(card: Card, learner: Learner, state: Any, inputs: Any, answers: Array) -> InputWeights:
    """The weights of the parts of an input, as the service finds them."""
    text = isinstance(inputs, list)
    one = np.array(inputs[0]) if text else (255 * inputs[0]).round().numpy().astype(np.uint8)
    parts = card.input.parts(one, None, one[None])
    assert parts is not None
    hidden = parts.hide()
    given = hidden.tolist() if text else torch.from_numpy(hidden).float() / 255
    after = learner.predict(state, encode_many(learner, given)).numpy()
    asked = explained(card, answers)
    return parts.show(asked.differences(answers[0], 0) - asked.differences(after, 0))


def mosaic(own: Any, others: list[Any], rng: np.random.Generator) -> Joined:
    """A photo in a quarter, beside three others."""
    place, tiles = int(rng.integers(4)), list(others[:3])
    tiles.insert(place, own)
    small = [torch.nn.functional.avg_pool2d(each.unsqueeze(0).float(), 2) for each in tiles]
    rows = [torch.cat(small[:2], -1), torch.cat(small[2:], -1)]

    def judge(weights: InputWeights) -> tuple[bool, float]:
        assert weights.saliency_png is not None
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(weights.saliency_png)))).astype(float)
        heat = pixels[..., 3] * (pixels[..., 0] == FOR[0])
        side = len(heat) // 2
        sums = heat.reshape(2, side, 2, side).sum((1, 3)).flatten()
        return bool(sums.argmax() == place), float(sums[place] / max(sums.sum(), 1e-9))

    return Joined(torch.cat(rows, -2), judge)


def sentence(own: Any, others: list[Any], rng: np.random.Generator) -> Joined:
    """A text before or behind another."""
    first = bool(rng.integers(2))
    text = f"{own} {others[0]}" if first else f"{others[0]} {own}"
    start, end = (0, len(own)) if first else (len(text) - len(own), len(text))

    def judge(weights: InputWeights) -> tuple[bool, float]:
        words = weights.words or []
        inside = [max(0.0, each.weight) for each in words if start <= each.start < end]
        every = [max(0.0, each.weight) for each in words]
        return max(inside) == max(every), sum(inside) / max(sum(every), 1e-9)

    return Joined([text], judge)


if __name__ == "__main__":
    main()
