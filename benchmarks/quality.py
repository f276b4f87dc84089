"""The tables of docs/clients.md: how honest the quality of a client is, and how well unknown queries are told.

    python -m benchmarks.quality --data FOLDER --features FOLDER   # the data sets; for encoded texts and photos

Episodes are drawn from test classes. Half of the classes of an episode are those of the client; queries of the others
belong to none of its classes. What a client would be told is computed as the service does it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks.features import parser_of
from benchmarks.learners_on_features import all_photos, own_texts, published_texts, shipped_photos
from benchmarks.methods import ROOT, filled, table
from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.pool import EncodableSampler
from models.functional import encode_many
from models.learner import Episode, Learner, Support, full_mask
from service.arrays import Array, SupportSet
from service.cards import Card, Catalogue, Figure
from service.engine.device import Device
from service.engine.folds import folds, parts
from service.engine.jobs import AdaptJob, HeldOut
from service.settings import ZOO, Settings
from service.use_cases.judgement import lowest_kept, suspects, wilson

PAGE = ROOT / "docs/clients.md"
WAYS = 10
COVERAGE = 0.95
UNKNOWN_METRICS = ("known_kept", "unknown_accepted", "unknown_auroc")
"""Names of the first columns of the table of unknown queries, in the cards."""
WRONG = 0.1
"""Share of the labels that are changed to measure how many of them are found."""


class Source(NamedTuple):
    """A model with test episodes of so many queries a class. `views` makes features of their inputs."""

    model: str
    title: str
    learner: Learner
    sampler: EpisodeSampler
    views: Callable[[Tensor], Tensor]
    queries: int


class Client(NamedTuple):
    """What one client is told, and what is true.

    estimate, covered    the estimated accuracy, and whether its interval has the true one
    accuracy             the accuracy on queries of its classes
    found, precision     shares of wrong labels that are suspected, and of suspected ones that are wrong
    kept, accepted       shares of the queries of its classes, and of no class, that are not unknown
    area, plain          the areas under the ROC curves of the familiarity and of the probability
    """

    estimate: float
    covered: bool
    accuracy: float
    found: float
    precision: float
    kept: float
    accepted: float
    area: float
    plain: float


def main() -> None:
    """Measure and write the tables."""
    parser = parser_of(__doc__)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--shots", type=int, nargs="+", default=[5])
    given = parser.parse_args()
    honest, unknown = list[list[str]](), list[list[str]]()
    for source in (drawings(given.data), photos(given.data, given.features), texts(given.data, given.features)):
        unknown.append([source.title, f"{WAYS}-way 1-shot", *by_default(source, given.episodes)])
        record(source.model, 1, unknown[-1], given.episodes)
        for shots in given.shots:
            shape = Shape(2 * WAYS, shots, source.queries)
            clients = [measured(source, shape, seed) for seed in range(given.episodes)]
            where = [source.title, f"{WAYS}-way {shots}-shot"]
            honest.append(where + honesty(clients))
            unknown.append(where + rejection(clients))
            record(source.model, shots, unknown[-1], given.episodes)
            Console().print(honest[-1], unknown[-1])
    head = ["queries", "client"]
    parts_of_page = {
        "honest": table(
            [*head, "accuracy", "estimate", "bias", "interval covers", "wrong labels found", "of those suspected"],
            honest,
        ),
        "unknown": table([*head, "kept", "accepted of no class", "area, familiarity", "area, probability"], unknown),
    }
    PAGE.write_text(filled(PAGE.read_text(), parts_of_page))


def record(model: str, shots: int, row: list[str], episodes: int) -> None:
    """Write the shares of a row of the table of unknown queries into the card of the model."""
    path = ZOO / f"{model}.json"
    command = f"python -m benchmarks.quality --data FOLDER --features FOLDER --episodes {episodes} --shots {shots}"
    figures = [
        Figure(
            setting=f"{WAYS}-way {shots}-shot, as many queries of other classes",
            metric=metric,
            mean=round(float(cell) / 100, 4),
            episodes=episodes,
            command=command,
            checkpoint=checkpoint.digest(path.with_suffix(".safetensors")),
        )
        for metric, cell in zip(UNKNOWN_METRICS, row[2:5], strict=True)
    ]
    Card.read(path).with_figures(figures).write(path)


def drawings(data: Path) -> Source:
    """Characters of Omniglot that the model has not seen."""
    learner, card = checkpoint.load(ZOO / "glyphs.safetensors"), Catalogue(ZOO)["glyphs"]
    sampler = dataset_of("omniglot").episodes(data / "omniglot.npz", "alphabets-test", card.input.model_dump())
    assert isinstance(sampler, EncodableSampler)
    encoded = sampler.encoded(partial(encode_many, learner))
    return Source("glyphs", "drawings", learner, encoded, lambda found: found, 10)


def photos(data: Path, features: Path) -> Source:
    """Products of the Grocery Store data set that the model has not seen."""
    head = shipped_photos()
    return Source("photos", "photos", head, all_photos(data, "grocery-test", features), head.views_of, 10)


def texts(data: Path, features: Path) -> Source:
    """Intents of the test domains of CLINC150."""
    return Source("texts", "texts", published_texts(), own_texts(data, "test", features), lambda found: found, 40)


@torch.no_grad()
def measured(source: Source, shape: Shape, seed: int) -> Client:
    """One client."""
    rng = np.random.default_rng(seed)
    episode, card = source.sampler.episode(rng, shape), Catalogue(ZOO)[source.model]
    device = Device({source.model: source.learner}, Settings(), compiling=False)
    inside = episode.targets < WAYS
    job = job_of(source, episode)
    held_out, familiar = left_out(card, device, job)
    query = source.views(episode.query)
    probabilities, scores = predicted(card, source, job, query), device.familiar(job, query)
    assert scores is not None
    right = probabilities[inside].argmax(-1) == episode.targets[inside].numpy()
    targets = job.support.targets
    agreed = held_out.argmax(-1) == targets
    low, high = wilson(int(agreed.sum()), len(agreed))
    threshold = lowest_kept(familiar, COVERAGE)
    assert threshold is not None
    known, others = scores[inside.numpy()], scores[~inside.numpy()]
    return Client(
        float(agreed.mean()),
        low <= right.mean() <= high,
        float(right.mean()),
        *found_errors(card, device, job, rng),
        float((known >= threshold).mean()),
        float((others >= threshold).mean()),
        *(float(roc_auc_score(inside.numpy(), each)) for each in (scores, probabilities.max(-1))),
    )


@torch.no_grad()
def by_default(source: Source, episodes: int) -> list[str]:
    """The same as of `rejection` for clients with one example a class, whose threshold is that of the card."""
    kept, accepted, areas, plain = list[float](), list[float](), list[float](), list[float]()
    card = Catalogue(ZOO)[source.model]
    threshold = card.familiar_at(WAYS, WAYS, COVERAGE)
    assert threshold is not None
    device = Device({source.model: source.learner}, Settings(), compiling=False)
    for seed in range(episodes):
        episode = source.sampler.episode(np.random.default_rng(seed), Shape(2 * WAYS, 1, source.queries))
        job, query = job_of(source, episode), source.views(episode.query)
        scores, top = device.familiar(job, query), predicted(card, source, job, query).max(-1)
        assert scores is not None
        inside = (episode.targets < WAYS).numpy()
        kept.append((scores[inside] >= threshold).mean())
        accepted.append((scores[~inside] >= threshold).mean())
        areas.append(roc_auc_score(inside, scores))
        plain.append(roc_auc_score(inside, top))
    return [f"{100 * fmean(each):.1f}" for each in (kept, accepted, areas, plain)]


def job_of(source: Source, episode: Episode) -> AdaptJob:
    """The adapt to the first classes of an episode, with its features."""
    support = episode.support
    own = support.targets < WAYS
    targets, features = support.targets[own].numpy(), source.views(support.inputs[own])
    return AdaptJob(source.model, "", SupportSet(np.zeros((len(targets), 1)), targets, WAYS), features)


def left_out(card: Card, device: Device, job: AdaptJob) -> tuple[Array, Array]:
    """The probabilities (n, ways) of the examples when each is left out, and how familiar each is (n,)."""
    targets = job.support.targets
    places = parts(folds(np.arange(len(targets)), targets, WAYS, len(targets)))
    answers, familiar = np.zeros((len(targets), WAYS), np.float32), np.zeros(len(targets), np.float32)
    for start in range(0, len(places), Settings().batch_jobs):
        some = places[start : start + Settings().batch_jobs]
        for place, found in zip(some, device.held_out(job, some), strict=True):
            assert isinstance(found, HeldOut)
            answers[place], familiar[place] = found
    return card.probabilities(answers), familiar


def predicted(card: Card, source: Source, job: AdaptJob, queries: Tensor) -> Array:
    """The probabilities of queries."""
    targets = torch.from_numpy(job.support.targets)
    assert job.features is not None
    state = source.learner.adapt(Support(job.features, targets, full_mask(targets), WAYS))
    return card.probabilities(source.learner.predict(state, queries).numpy())


def found_errors(card: Card, device: Device, job: AdaptJob, rng: np.random.Generator) -> tuple[float, float]:
    """The share of wrong labels that are suspected, and the share of the suspected ones that are wrong."""
    count = len(job.support.targets)
    wrong = rng.permutation(count)[: max(1, round(WRONG * count))]
    targets = job.support.targets.copy()
    targets[wrong] = (targets[wrong] + rng.integers(1, WAYS, len(wrong))) % WAYS
    changed = job._replace(support=job.support._replace(targets=targets))
    held_out, _ = left_out(card, device, changed)
    found = [each.place for each in suspects(held_out, targets, count)]
    hits = len(set(found) & set(wrong.tolist()))
    return hits / len(wrong), hits / len(found) if found else 1.0


def honesty(clients: list[Client]) -> list[str]:
    """Accuracy, estimate, bias, coverage of the interval, and the suspected labels, in %."""
    accuracy, estimate = fmean(each.accuracy for each in clients), fmean(each.estimate for each in clients)
    covered, found = fmean(each.covered for each in clients), fmean(each.found for each in clients)
    precision = fmean(each.precision for each in clients)
    shown = [f"{100 * each:.1f}" for each in (accuracy, estimate)]
    return [
        *shown,
        f"{100 * (estimate - accuracy):+.1f}",
        *(f"{100 * each:.0f}" for each in (covered, found, precision)),
    ]


def rejection(clients: list[Client]) -> list[str]:
    """The shares of queries that are kept, of the classes and of none, and the area under the ROC curve, in %."""
    means = (fmean(getattr(each, name) for each in clients) for name in ("kept", "accepted", "area", "plain"))
    return [f"{100 * mean:.1f}" for mean in means]


if __name__ == "__main__":
    main()
