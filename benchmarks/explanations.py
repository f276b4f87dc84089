"""The table of docs/explain.md: whether the example with the largest weight decides.

    python -m benchmarks.explanations --data FOLDER --features FOLDER   # the data sets; for encoded texts and photos

Episodes are drawn from test classes. An example is removed, the model adapts to the others, and the query is asked
again. An answer changes by chance as often as it does on average over all examples.
"""

from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console

from benchmarks.features import parser_of
from benchmarks.methods import ROOT, filled, table
from benchmarks.quality import WAYS, Source, drawings, photos, texts
from models.datasets.episode import Shape
from models.learner import Support, full_mask
from service.arrays import Array
from service.cards import Catalogue
from service.settings import ZOO
from service.use_cases.explanation import explained

PAGE = ROOT / "docs/explain.md"
HEAD = ["queries", "client", "largest weight for", "listed first", "of its class", "random", "margin"]
QUERIES = 10
"""Queries of each class."""


class Changes(NamedTuple):
    """Shares of the answers of one client that change when an example is removed.

    strongest  the example that speaks most for the answer
    first      the first example of the explanation, which speaks most for or against it
    same       any example of the class of the answer, on average
    random     any example, on average
    """

    strongest: float
    first: float
    same: float
    random: float


def main() -> None:
    """Measure and write the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--episodes", type=int, default=20)
    given = parser.parse_args()
    rows = []
    for source in (drawings(given.data), photos(given.data, given.features), texts(given.data, given.features)):
        for shots in (2, 5):
            shape = Shape(WAYS, shots, QUERIES)
            changes = [measured(source, shape, seed) for seed in range(given.episodes)]
            rows.append([source.title, f"{WAYS}-way {shots}-shot", *shown(changes)])
            Console().print(rows[-1])
            PAGE.write_text(filled(PAGE.read_text(), {"removed": table(HEAD, rows)}))


@torch.no_grad()
def measured(source: Source, shape: Shape, seed: int) -> Changes:
    """One client."""
    episode = source.sampler.episode(np.random.default_rng(seed), shape)
    names = episode.support.names
    support = episode.support._replace(inputs=source.views(episode.support.inputs), names=names)
    query, learner = source.views(episode.query), source.learner
    answers = learner.predict(learner.adapt(support), query).numpy()
    asked = explained(Catalogue(ZOO)[source.model], answers)
    weights = learner.explain(support, query, torch.from_numpy(asked.contrast)).examples.numpy()
    changed = np.stack([without(source, support, query, place) for place in range(len(weights.T))], 1)
    changed = changed != asked.top[:, None]
    rows, same = np.arange(len(query)), support.targets.numpy() == asked.top[:, None]
    return Changes(
        strongest=float(changed[rows, weights.argmax(-1)].mean()),
        first=float(changed[rows, np.abs(weights).argmax(-1)].mean()),
        same=float(np.average(changed, weights=same / same.sum(-1, keepdims=True))),
        random=float(changed.mean()),
    )


def without(source: Source, support: Support, query: torch.Tensor, place: int) -> Array:
    """The answers (q,) after adapting without an example."""
    kept = torch.arange(len(support.targets)) != place
    targets = support.targets[kept]
    part = Support(support.inputs[kept], targets, full_mask(targets), support.ways, support.names)
    answers: Array = source.learner.predict(source.learner.adapt(part), query).argmax(-1).numpy()
    return answers


def shown(changes: list[Changes]) -> list[str]:
    """The means in %, and how much more often the strongest changes the answer than chance, with a 95 % interval."""
    means = [f"{100 * fmean(each):.1f}" for each in zip(*changes, strict=True)]
    margins = [each.strongest - each.random for each in changes]
    half = 1.96 * stdev(margins) / len(margins) ** 0.5
    return [*means, f"+{100 * fmean(margins):.1f} ± {100 * half:.1f}"]


if __name__ == "__main__":
    main()
