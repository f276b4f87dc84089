"""The answers of `texts` and `photos` with encoders in bfloat16, beside those in float32.

    python -m benchmarks.precision --data FOLDER --features FOLDER       # the data; where encoded inputs are kept

Writes into docs/performance.json. About 10,000 queries of test classes for each setting. An encoder runs in bfloat16 by
default only if all top answers are the same and no probability differs by more than 1e-2.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from benchmarks import features
from benchmarks.encoder_serving import rate_of
from benchmarks.features import parser_of
from benchmarks.learners_on_features import answer_of, published_texts, shipped_photos
from benchmarks.results import keep
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.functional import encode_many
from models.learner import Episode
from models.recipes.photos import PHOTO
from service.cards import Card
from service.settings import ZOO

QUERIES, PER_CLASS = 10_000, 10
PHOTOS_AT_ONCE, SECONDS = 16, 2.0
SETTINGS = {"texts": ((5, 1), (5, 5), (45, 1), (45, 5)), "photos": ((5, 1), (5, 5), (20, 1), (20, 5))}

Encode = Callable[[Any], Tensor]


def main() -> None:
    """Compare, print and write."""
    given = parser_of(__doc__).parse_args()
    found = {}
    for kind, sizes in SETTINGS.items():
        exact, reduced = samplers(kind, given.data, given.features)
        for ways, shots in sizes:
            shape = Shape(ways, shots, PER_CLASS)
            found[f"{kind}, {shape.title()}"] = difference(kind, exact, reduced, shape)
            Console().print(kind, shape.title(), found[f"{kind}, {shape.title()}"])
    keep(precision=found, memory_formats=memory_formats())


def memory_formats() -> dict[str, float]:
    """Milliseconds of processor time a photo, of the encoder of `photos` in both memory formats and precisions.

    The encoder changes the format to `channels_last` in `eval()` mode only. The modes differ in nothing else.
    """
    encoder, pixels = shipped_photos().encoder, torch.rand(PHOTOS_AT_ONCE, 3, PHOTO["size"], PHOTO["size"])
    found = {}
    for training, reduced in product((False, True), repeat=2):
        encoder.train(training)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            rate = rate_of(partial(encoder, pixels), SECONDS)
        name = f"{'contiguous' if training else 'channels_last'}, {'bfloat16' if reduced else 'float32'}"
        found[name] = round(1000 / rate / PHOTOS_AT_ONCE, 1)
        Console().print(name, found[name], "ms")
    encoder.eval()
    return found


def samplers(kind: str, data: Path, folder: Path) -> tuple[EpisodeSampler, EpisodeSampler]:
    """The same episodes in features of both precisions."""
    if kind == "texts":
        encode: Encode = partial(encode_many, published_texts())
        opened: Callable[..., EpisodeSampler] = features.texts
        split, name = "test", "texts"
    else:
        encode = shipped_photos().encoder
        opened, split, name = features.photos, "grocery-test", "efficientnet-lite0-layout"
    exact = opened(data, split, encode, folder, name)
    return exact, opened(data, split, in_bfloat16(encode), folder, f"{name}-bfloat16")


def in_bfloat16(encode: Encode) -> Encode:
    """The encoder under autocast, with features in float32."""

    def encoded(inputs: Any) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return encode(inputs).float()

    return encoded


def difference(kind: str, exact: EpisodeSampler, reduced: EpisodeSampler, shape: Shape) -> dict[str, float]:
    """The difference between the answers over all queries."""
    count = QUERIES // (shape.ways * PER_CLASS)
    flips, hits, apart = 0, [0, 0], []
    for index in range(count):
        episodes = [sampler.episode(rng_of(0, index), shape) for sampler in (exact, reduced)]
        first, second = (probabilities(kind, episode) for episode in episodes)
        flips += int((first.argmax(-1) != second.argmax(-1)).sum())
        apart.append((first - second).abs().amax(-1))
        hits = [
            n + int((p.argmax(-1) == episodes[0].targets).sum()) for n, p in zip(hits, (first, second), strict=True)
        ]
    all_apart = torch.cat(apart)
    accuracies = {f"accuracy_{name}": n / len(all_apart) for name, n in zip(("float32", "bfloat16"), hits, strict=True)}
    largest, p99 = all_apart.max().item(), all_apart.quantile(0.99).item()
    return {"queries": len(all_apart), "flips": flips, "largest": largest, "p99": p99} | accuracies


def probabilities(kind: str, episode: Episode) -> Tensor:
    """The answers of the model of this kind (q, ways), as they are served."""
    with torch.no_grad():
        if kind == "photos":
            logits = answer_of(shipped_photos())(episode)
        else:
            logits = published_texts().predict(published_texts().adapt(episode.support), episode.query)
    return (logits / Card.read(ZOO / f"{kind}.json").temperature).softmax(-1)


if __name__ == "__main__":
    main()
