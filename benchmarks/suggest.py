"""How many labels a suggestion saves: the table and docs/suggest.png of docs/clients.md.

    python -m benchmarks.suggest --data FOLDER --features FOLDER    # the data sets; for encoded texts and photos

A client begins with no labels and asks for ten at a time, out of a pool of inputs. The rule of the service was chosen
on validation classes (`--split val`); the report is on test classes. Each episode is written into the folder of the
features when it is done, and a second run goes on where the first ended.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from torch import Tensor

from benchmarks.learners_on_features import all_photos, own_texts, published_texts, shipped_photos
from benchmarks.methods import ROOT, filled, table
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Learner, Support, full_mask
from service.arrays import Array
from service.cards import Catalogue
from service.settings import ZOO
from service.use_cases.suggestion import LEAST, most_worthy, resemblance

PAGE, PICTURE = ROOT / "docs/clients.md", ROOT / "docs/suggest.png"
CARDS = Catalogue(ZOO)
WAYS, ASKED, ROUNDS = 10, 10, 5
SPREAD = 5
"""In an unequal pool, the largest class has so many times the inputs of the smallest."""
RULE, RANDOM = "suggest", "random"
EPISODES = {"val": 10, "test": 50}


class Scene(NamedTuple):
    """A kind of pool: `shots` inputs of the largest class, and `queries` of each class to measure on."""

    title: str
    kind: str
    shots: int
    queries: int
    equal: bool


SCENES = (
    Scene("texts, equal classes", "texts", 40, 20, True),
    Scene("texts, unequal classes", "texts", 80, 20, False),
    Scene("photos, equal classes", "photos", 20, 10, True),
    Scene("photos, unequal classes", "photos", 20, 10, False),
)

Rule = Callable[[np.random.Generator, Array, Array | None], Sequence[int]]
"""Chooses ten of the inputs with these features (n, d) and probabilities (n, ways); None: no model yet."""


def at_random(rng: np.random.Generator, features: Array, _: Array | None) -> Sequence[int]:
    """Any ten."""
    chosen: list[int] = rng.permutation(len(features))[:ASKED].tolist()
    return chosen


def by_margin(rng: np.random.Generator, features: Array, probabilities: Array | None) -> Sequence[int]:
    """The smallest differences of the two largest probabilities."""
    if probabilities is None:
        return at_random(rng, features, None)
    order = np.sort(probabilities, -1)
    chosen: list[int] = np.argsort(order[:, -1] - order[:, -2], kind="stable")[:ASKED].tolist()
    return chosen


def by_distance(_: np.random.Generator, features: Array, probabilities: Array | None) -> Sequence[int]:
    """Farthest first, times the uncertainty."""
    unlike = 1 - resemblance(features)
    weights = np.ones(len(features)) if probabilities is None else 1 - probabilities.max(-1) + LEAST
    chosen = [int(weights.argmax())]
    while len(chosen) < ASKED:
        worth = unlike[chosen].min(0) * weights
        worth[chosen] = -1
        chosen.append(int(worth.argmax()))
    return chosen


def by_worth(power: float, _: np.random.Generator, features: Array, probabilities: Array | None) -> Sequence[int]:
    """The rule of the service, with another power of the uncertainty."""
    return most_worthy(features, probabilities, ASKED, power).places


RULES: Mapping[str, Rule] = {
    RANDOM: at_random,
    "least margin": by_margin,
    "farthest first": by_distance,
    "coverage alone": lambda _, features, __: most_worthy(features, None, ASKED).places,
    RULE: lambda _, features, probabilities: most_worthy(features, probabilities, ASKED).places,
}
POWERS: Mapping[str, Rule] = {f"power {power}": partial(by_worth, power) for power in (0.15, 0.5, 1.0)}
"""More rules, to choose from on validation classes."""


class Source(NamedTuple):
    """A learner with its episodes of features. `views` makes of them what its head takes."""

    learner: Learner
    sampler: EpisodeSampler
    views: Callable[[Tensor], Tensor]


def main() -> None:
    """Measure, and write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--split", choices=list(EPISODES), default="test")
    given = parser.parse_args()
    torch.set_num_threads(1)
    curves = measured(given.data, given.features, given.split)
    if given.split == "test":
        PAGE.write_text(filled(PAGE.read_text(), {"suggest": report(curves)}))
        draw(curves)
    Console().print(report(curves))


def measured(data: Path, folder: Path, split: str) -> dict[str, dict[str, Array]]:
    """The accuracies (episodes, rounds) of each rule in each scene. What is known already is read."""
    file = folder / f"suggest-{split}.jsonl"
    known = {
        tuple(key): found for key, found in map(json.loads, file.read_text().splitlines() if file.exists() else [])
    }
    for scene in SCENES:
        source = source_of(scene.kind, data, split, folder)
        for seed in track(range(EPISODES[split]), scene.title, console=Console(stderr=True)):
            if (scene.title, seed) not in known:
                found = known[scene.title, seed] = curves_of(scene, source, rules_of(split), seed)
                with file.open("a") as lines:
                    lines.write(json.dumps([[scene.title, seed], found]) + "\n")
    return {
        scene.title: {
            rule: np.array([known[scene.title, i][rule] for i in range(EPISODES[split])]) for rule in rules_of(split)
        }
        for scene in SCENES
    }


def rules_of(split: str) -> Mapping[str, Rule]:
    """What is compared on the classes of a split."""
    return RULES if split == "test" else {**RULES, **POWERS}


def source_of(kind: str, data: Path, split: str, folder: Path) -> Source:
    """The model of texts or photos, with features of the classes of a split."""
    if kind == "texts":
        return Source(published_texts(), own_texts(data, split, folder), lambda found: found)
    head = shipped_photos()
    return Source(head, all_photos(data, f"grocery-{split}", folder), head.views_of)


@torch.no_grad()
def curves_of(scene: Scene, source: Source, rules: Mapping[str, Rule], seed: int) -> dict[str, list[float]]:
    """The accuracy of each rule after each round, in one episode."""
    rng = np.random.default_rng(seed)
    episode = source.sampler.episode(rng, Shape(WAYS, scene.shots, scene.queries))
    sizes = [round(scene.shots * SPREAD ** (-i / (WAYS - 1))) for i in range(WAYS)]
    pool = np.arange(WAYS * scene.shots).reshape(WAYS, scene.shots)
    pool = pool.ravel() if scene.equal else np.concatenate([row[:size] for row, size in zip(pool, sizes, strict=True)])
    pool = rng.permutation(pool)
    return {
        name: curve(scene.kind, source, episode, pool, rule, np.random.default_rng(seed))
        for name, rule in rules.items()
    }


def curve(
    kind: str, source: Source, episode: Episode, pool: Array, rule: Rule, rng: np.random.Generator
) -> list[float]:
    """The accuracy on the queries after each round of labels."""
    inputs, targets = episode.support.inputs, episode.targets.numpy()
    features = inputs.flatten(1).float().numpy()
    labelled, found = pool[:0], list[float]()
    rest, probabilities = pool, None
    for _ in range(ROUNDS):
        labelled = np.concatenate([labelled, rest[list(rule(rng, features[rest], probabilities))]])
        rest = np.setdiff1d(pool, labelled)
        known, both = answered(kind, source, episode, labelled, torch.cat([episode.query, inputs[rest]]))
        found.append(float((known[both[: len(targets)].argmax(-1)] == targets).mean()))
        probabilities = both[len(targets) :] if len(known) > 1 else None
    return found


def answered(kind: str, source: Source, episode: Episode, labelled: Array, inputs: Tensor) -> tuple[Array, Array]:
    """The classes that labelled inputs have, and the probabilities (n, classes) of other inputs."""
    support = episode.support
    known, places = np.unique(support.targets.numpy()[labelled], return_inverse=True)
    if len(known) == 1:
        return known, np.ones((len(inputs), 1), np.float32)
    targets, names = torch.from_numpy(places), None if support.names is None else support.names[known]
    taught = Support(source.views(support.inputs[labelled]), targets, full_mask(targets), len(known), names)
    logits = source.learner.predict(source.learner.adapt(taught), source.views(inputs))
    return known, CARDS[kind].probabilities(logits.numpy())


def half(values: Array) -> Any:
    """Half of the 95 % interval of the mean of values (episodes, ...)."""
    return 1.96 * values.std(0, ddof=1) / np.sqrt(len(values))


def report(curves: Mapping[str, Mapping[str, Array]]) -> str:
    """Accuracies after 10, 20 and 50 labels, the gain over random, and the labels for what random has after 50."""
    counts = [ASKED * (i + 1) for i in range(ROUNDS)]
    rows = []
    for scene, rules in curves.items():
        goal = rules[RANDOM].mean(0)[-1]
        for rule, found in rules.items():
            gains = 100 * (found - rules[RANDOM])
            shown = [f"{100 * each:.1f}" for each in found.mean(0)[[0, 1, -1]]]
            gain = "" if rule == RANDOM else f"{gains[:, 1].mean():+.1f} ± {half(gains[:, 1]):.1f}"
            enough = [count for count, mean in zip(counts, found.mean(0), strict=True) if mean >= goal]
            rows.append([scene, rule, *shown, gain, str(enough[0]) if enough else f"over {counts[-1]}"])
    head = ["inputs", "rule", "10 labels", "20", "50", "gain at 20", "labels for random's accuracy at 50"]
    return table(head, rows)


def draw(curves: Mapping[str, Mapping[str, Array]]) -> None:
    """Draw the learning curves with their intervals."""
    picture = Figure(figsize=(9, 6.5), layout="constrained")
    counts = [ASKED * (i + 1) for i in range(ROUNDS)]
    for axes, (scene, rules) in zip(picture.subplots(2, 2).flat, curves.items(), strict=True):
        for rule, found in rules.items():
            style = {"linewidth": 2.5} if rule == RULE else {"linewidth": 1, "linestyle": "--"}
            axes.errorbar(counts, 100 * found.mean(0), 100 * half(found), label=rule, capsize=2, **style)
        axes.set(title=scene, xlabel="labels", ylabel="accuracy, %", xticks=counts)
    axes.legend()
    picture.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
