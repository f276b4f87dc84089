"""The tables of docs/several-labels.md: texts and photos with several labels.

    python -m benchmarks.several_labels --data FOLDER --features FOLDER             # writes the page
    python -m benchmarks.several_labels --data FOLDER --features FOLDER --choose    # thresholds on validation classes

Texts are sentences of CLINC150 joined by "and", or out-of-scope ones without a label. Photos of the Grocery Store data
set have three labels each, the product, its kind and its department; photos of other products have none.
"""

import argparse
import json
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from torch import Tensor

from benchmarks.features import Encode, stored
from benchmarks.learners_on_features import all_photos, published_texts, shipped_photos
from benchmarks.methods import ROOT, filled, table
from models import one_vs_rest
from models.class_names import plain_words
from models.datasets.texts import OUT_OF_SCOPE, TEST_DOMAINS, VALIDATION_DOMAINS
from models.functional import encode_many
from models.learner import Support
from service.arrays import Array
from service.use_cases.label_sets import (
    DEFAULT_THRESHOLD,
    independent,
    independent_calibration_error,
    macro_f1,
    micro_f1,
)

PAGE = ROOT / "docs/several-labels.md"
SIZES, DRAWS, PHOTO_DRAWS = (10, 20, 50, 100), 10, 2

WAYS, GROUPS = 10, 4
SUPPORT, QUERIES = 400, 300
NUMBER_OF_LABELS = (0.15, 0.45, 0.3, 0.1)
"""How often a sentence has none, one, two or three intents."""


class Task(NamedTuple):
    """Features (n, d) and labels (n, ways) of examples to draw from and of queries. `names` (ways, d) are the features
    of the names of the classes."""

    classes: list[str]
    names: Tensor | None
    support: Tensor
    labels: Array
    query: Tensor
    truth: Array


def text_tasks(data: Path, folder: Path, domains: tuple[str, ...], encode: Encode) -> list[Task]:
    """Tasks of the intents of some domains. Examples are of the training split, queries of the test split."""
    lines = [json.loads(line) for line in (data / "clinc150.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if not line.get("overlap")]
    rng = np.random.default_rng(0)
    intents = rng.permutation(sorted({line["label"] for line in lines if line["domain"] in domains})).tolist()
    groups = [intents[i * WAYS : (i + 1) * WAYS] for i in range(GROUPS)]
    drawn = [
        joined(lines, group, split, count, rng)
        for group in groups
        for split, count in (("train", SUPPORT), ("test", QUERIES))
    ]
    texts = [text for each, _ in drawn for text in each]
    features = stored(
        folder / f"joined-{domains[0]}.npy", len(texts), lambda places: encode([texts[i] for i in places])
    )
    parts = torch.split(features, [len(each) for each, _ in drawn])
    with torch.no_grad():
        names = [encode([plain_words(name) for name in group]) for group in groups]
    return [
        Task(group, names[i], parts[2 * i], drawn[2 * i][1], parts[2 * i + 1], drawn[2 * i + 1][1])
        for i, group in enumerate(groups)
    ]


def joined(
    lines: list[dict[str, str]], intents: list[str], split: str, count: int, rng: np.random.Generator
) -> tuple[list[str], Array]:
    """`count` sentences of up to three intents each, joined by "and", and their labels (count, ways)."""
    own = {
        name: [line["text"] for line in lines if line["label"] == name and line["split"] == split] for name in intents
    }
    others = [line["text"] for line in lines if line["label"] == OUT_OF_SCOPE and line["split"] == split]
    texts, labels = [], np.zeros((count, len(intents)), bool)
    for place in range(count):
        chosen = rng.permutation(len(intents))[: rng.choice(4, p=NUMBER_OF_LABELS)]
        parts = [str(rng.choice(own[intents[each]])) for each in chosen] or [str(rng.choice(others))]
        texts.append(" and ".join(parts))
        labels[place, chosen] = True
    return texts, labels


def photo_tasks(data: Path, folder: Path) -> list[Task]:
    """Tasks of ten products each that the model has not seen."""
    pool, views = all_photos(data, "grocery-test", folder), shipped_photos().views_of
    with np.load(data / "grocery128.npz") as file:
        kinds = dict(
            zip(file["label"].tolist(), zip(file["coarse"].tolist(), file["domain"].tolist(), strict=True), strict=True)
        )
    with torch.no_grad():
        features = views(pool.examples(np.arange(len(pool.labels))))
    return [_photo_task(pool.labels, features, kinds, np.random.default_rng(seed)) for seed in range(GROUPS)]


def _photo_task(labels: Array, features: Tensor, kinds: dict[int, tuple[int, int]], rng: np.random.Generator) -> Task:
    products = rng.permutation(np.unique(labels))
    own, others = products[:WAYS].tolist(), products[WAYS:]
    classes = sorted({name for each in own for name in _names(each, kinds)})
    chosen = rng.permutation(np.flatnonzero(np.isin(labels, own)))
    strange = rng.permutation(np.flatnonzero(np.isin(labels, others)))[: len(chosen) // 6]
    places = rng.permutation(np.concatenate([chosen, strange]))
    known = [_names(int(labels[place]), kinds) if labels[place] in own else set[str]() for place in places]
    truth = np.array([[name in each for name in classes] for each in known])
    found, half = features[torch.from_numpy(places)], len(places) // 2
    return Task(classes, None, found[:half], truth[:half], found[half:], truth[half:])


def _names(product: int, kinds: dict[int, tuple[int, int]]) -> set[str]:
    kind, department = kinds[product]
    return {f"product {product}", f"kind {kind}", f"department {department}"}


Answer = Callable[[Task, Array], Array]
"""The probabilities (q, ways) after learning from the examples at some places."""


def served(task: Task, places: Array, *, names: bool = True) -> Array:
    """As the service answers."""
    labels = torch.from_numpy(task.labels[places])
    mask = torch.ones(len(places), dtype=torch.bool)
    known = task.names if names else None
    support = Support(task.support[torch.from_numpy(places)], labels, mask, len(task.classes), known)
    with torch.no_grad():
        return independent(one_vs_rest.predict(one_vs_rest.adapt(support), task.query).numpy())


def scikit(task: Task, places: Array, **options: object) -> Array:
    """scikit-learn's logistic regression, one against the rest, on features of length 1.

    In coordinates of the space that the examples span: the best weights lie in it, and there are fewer of them.
    """
    model = OneVsRestClassifier(LogisticRegression(max_iter=1000, **options))
    rows = F.normalize(task.support[torch.from_numpy(places)], dim=-1)
    span = torch.linalg.qr(rows.T).Q
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class that no example has
        model.fit((rows @ span).numpy(), task.labels[places])
        found: Array = model.predict_proba((F.normalize(task.query, dim=-1) @ span).numpy())
    return found


BASELINES: dict[str, tuple[Answer, float]] = {
    "scikit-learn, `OneVsRestClassifier(LogisticRegression())`": (scikit, 0.5),
    "the same, `C=20`, answering at 0.2": (partial(scikit, C=20.0), 0.2),
    'the same, `class_weight="balanced"`': (partial(scikit, class_weight="balanced"), 0.5),
}
"""Methods, and the threshold of each: its default, or the best one on validation classes."""


class Scores(NamedTuple):
    """Micro and macro F1, and the calibration error of all labels."""

    micro: float
    macro: float
    error: float


def scores(task: Task, probabilities: Array, threshold: float) -> Scores:
    """The scores on the queries."""
    answers = probabilities >= threshold
    error = independent_calibration_error(probabilities, task.truth)
    return Scores(micro_f1(answers, task.truth), macro_f1(answers, task.truth), error)


def draws(tasks: list[Task], size: int, count: int) -> Iterator[tuple[Task, Array]]:
    """Examples of each task, several times; the same for every method."""
    for number, task in enumerate(tasks):
        for seed in range(count):
            yield task, np.random.default_rng([number, size, seed]).permutation(len(task.support))[:size]


def row(title: str, answer: Answer, tasks: list[Task], threshold: float, count: int = DRAWS) -> list[str]:
    """Micro F1, macro F1 and calibration error in %, by the number of examples."""
    cells = []
    for size in SIZES:
        found = [scores(task, answer(task, places), threshold) for task, places in draws(tasks, size, count)]
        cells.append(" / ".join(f"{100 * each:.1f}" for each in np.mean(found, 0)))
    Console().print(title, *cells)
    return [title, *cells]


def main() -> None:
    """Measure and write the tables, or show what thresholds do on validation classes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--choose", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    encode = partial(encode_many, published_texts())
    if given.choose:
        tasks = text_tasks(given.data, given.features, VALIDATION_DOMAINS, encode)
        for threshold in (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5):
            row(f"threshold {threshold}", served, tasks, threshold)
        return
    tasks = text_tasks(given.data, given.features, TEST_DOMAINS, encode)
    texts = [row(title, answer, tasks, at) for title, (answer, at) in BASELINES.items()]
    texts.append(row("`texts` without class names", partial(served, names=False), tasks, DEFAULT_THRESHOLD))
    texts.append(row("`texts`", served, tasks, DEFAULT_THRESHOLD))
    pictures = photo_tasks(given.data, given.features)
    photos = [row(title, answer, pictures, at, PHOTO_DRAWS) for title, (answer, at) in BASELINES.items()]
    photos.append(row("`photos`", served, pictures, DEFAULT_THRESHOLD, PHOTO_DRAWS))
    head = ["method", *(f"{size} examples" for size in SIZES)]
    PAGE.write_text(filled(PAGE.read_text(), {"texts": table(head, texts), "photos": table(head, photos)}))


if __name__ == "__main__":
    main()
