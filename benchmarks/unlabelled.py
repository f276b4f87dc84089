"""What inputs without labels are worth: the tables "unlabelled" and "bounds" of docs/streams.md.

    python -m benchmarks.unlabelled --data FOLDER --features FOLDER    # the data sets; for encoded inputs

Clients of classes that the models have not seen learn from a few labelled examples, and from others without a label.
The bound of their weight is chosen on validation classes, and the gain is measured on test classes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from benchmarks.features import parser_of, stored
from benchmarks.learners_on_features import shipped_photos
from benchmarks.methods import filled, table
from benchmarks.streams import sources
from benchmarks.streams.page import PAGE
from models import checkpoint
from models.datasets import DATASETS
from models.datasets.pool import Pool
from models.datasets.texts import TEST_DOMAINS, VALIDATION_DOMAINS
from models.functional import adapt_many, predict_many
from models.learner import Learner, Support, full_mask
from models.recipes.photos import PHOTO
from models.refinement import MOST, UNLABELLED, refined_alone
from service.settings import ZOO

WAYS, EACH, EPISODES = 5, 10, 50
"""Classes of a client, its inputs of each class without a label, and the clients."""
SHOTS = (1, 5)
ALL = 1000
"""More intents than a domain has."""


class Pair(NamedTuple):
    """A learner, and features (classes, examples, d) of classes that it has not seen."""

    learner: Learner
    features: Tensor


def drawings(data: Path, folder: Path, *, split: str) -> Pair:
    """Characters of alphabets that the model was not trained on."""
    return Pair(*sources.split_drawings(data, folder, split))


def texts(data: Path, folder: Path, *, domains: Sequence[str]) -> Pair:
    """Intents of domains that the model was not trained on."""
    learner = checkpoint.load(ZOO / "texts.safetensors")
    return Pair(learner, sources.intents(learner, data, folder, domains, ALL).flatten(0, 1))


def photos(data: Path, folder: Path, *, split: str, each: int) -> Pair:
    """The first photos of each class of a split."""
    pool = DATASETS["photos"].episodes(data, split, PHOTO)
    assert isinstance(pool, Pool)
    head, examples = shipped_photos(), pool.examples
    rows = np.concatenate([np.flatnonzero(pool.labels == label)[:each] for label in pool.classes])
    file = folder / f"efficientnet-lite0-{split}-{each}.npy"
    features = stored(file, len(rows), lambda some: head.encoder(examples(rows[some])))
    with torch.no_grad():
        return Pair(head, head.views_of(features).reshape(len(pool.classes), each, -1))


Source = Callable[[Path, Path], Pair]
TEST: Mapping[str, Source] = {
    "drawings of new characters (`glyphs`)": partial(drawings, split="alphabets-test"),
    "texts of new intents (`texts`)": partial(texts, domains=TEST_DOMAINS),
    "photos of new products (`photos`)": partial(photos, split="grocery-test", each=30),
    "photos of hands, another kind (`photos`)": partial(photos, split="sign-digits", each=40),
}
VALIDATION: Mapping[str, Source] = {
    "drawings (`glyphs`)": partial(drawings, split="alphabets-val"),
    "texts (`texts`)": partial(texts, domains=VALIDATION_DOMAINS),
}
BOUNDS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0)
"""What `MOST` is chosen from."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the tables."""
    given = parser_of(__doc__).parse_args(arguments)
    tables = {"bounds": choice(given.data, given.features)}
    rows = []
    for title, source in TEST.items():
        pair = source(given.data, given.features)
        rows += [row(title, pair, shots, others=others) for shots in SHOTS for others in (False, True)]
    head = ["inputs", "labelled, each class", "without a label", "accuracy without them", "with them", "gain"]
    tables["unlabelled"] = table(head, rows)
    PAGE.write_text(filled(PAGE.read_text(), tables))
    Console().print(*tables.values())


def choice(data: Path, folder: Path) -> str:
    """The mean gain on validation classes of each bound, over labelled examples of each class and others or none."""
    gains = {}
    for title, source in VALIDATION.items():
        pair = source(data, folder)
        gains[title] = [_gain(pair, bound) for bound in BOUNDS]
    gains["mean"] = [fmean(each) for each in zip(*gains.values(), strict=True)]
    return table(
        ["bound", *map(str, BOUNDS)], [[name, *(f"{each:+.2f}" for each in own)] for name, own in gains.items()]
    )


def _gain(pair: Pair, bound: float) -> float:
    scores = [
        scores_of(pair, shots, seed, others=others, most=bound)
        for shots in SHOTS for others in (False, True) for seed in range(EPISODES)
    ]  # fmt: skip
    return 100 * fmean(after - before for before, after in scores)


def row(title: str, pair: Pair, shots: int, *, others: bool) -> list[str]:
    """A row of the table. `others`: half of the inputs without a label are of other classes."""
    seeds = track(range(EPISODES), title, console=Console(stderr=True))
    scores = 100 * np.array([scores_of(pair, shots, seed, others=others) for seed in seeds])
    gain = scores[:, 1] - scores[:, 0]
    half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
    before, after = scores.mean(0)
    kind = "half of other classes" if others else "all of its classes"
    return [title, str(shots), kind, f"{before:.1f}", f"{after:.1f}", f"{gain.mean():+.1f} ± {half:.1f}"]


@torch.no_grad()
def scores_of(pair: Pair, shots: int, seed: int, *, others: bool, most: float = MOST) -> tuple[float, float]:
    """The accuracy of one client without and with the inputs that have no label."""
    rng, (learner, features) = np.random.default_rng(seed), pair
    classes = rng.permutation(len(features))[: 2 * WAYS]
    drawn = features[classes][:, rng.permutation(features.shape[1])]
    own, rest = drawn[:WAYS], drawn[WAYS : 2 * WAYS, :EACH]
    labelled, free, query = own[:, :shots], own[:, shots : shots + EACH], own[:, shots + EACH :]
    extra = torch.cat([free, rest] if others else [free]).flatten(0, 1)
    targets = torch.arange(WAYS).repeat_interleave(shots)
    alone = Support(labelled.flatten(0, 1), targets, full_mask(targets), WAYS)
    every = torch.cat([targets, torch.full((len(extra),), UNLABELLED)])
    both = Support(torch.cat([alone.inputs, extra]), every, full_mask(every), WAYS)
    helped = refined_alone(both, partial(adapt_many, learner), partial(predict_many, learner), most)
    before, after = (_accuracy(learner, support, query) for support in (alone, helped))
    return before, after


def _accuracy(learner: Learner, support: Support, query: Tensor) -> float:
    answers = learner.predict(learner.adapt(support), query.flatten(0, 1)).argmax(-1)
    return float((answers == torch.arange(WAYS).repeat_interleave(query.shape[1])).float().mean())


if __name__ == "__main__":
    main()
