"""The table "none of these" of docs/texts.md: how well texts of no class are told from those of a client's classes.

    python -m benchmarks.none_of_these --data FOLDER --features FOLDER   # clinc150.jsonl; for encoded texts

Examples are drawn from the training split. The queries are the test split and the out-of-scope texts of CLINC150.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks.features import parser_of, stored
from benchmarks.learners_on_features import Frozen
from benchmarks.methods import filled, table
from benchmarks.texts import PAGE, baseline
from models import checkpoint
from models.class_names import plain_words
from models.datasets.texts import OUT_OF_SCOPE, TEST_DOMAINS
from models.familiarity import familiarity
from models.functional import encode_many
from models.learner import Learner, Support, full_mask
from models.learners.named_logistic import NamedLogistic
from service.settings import ZOO

SHOTS, DRAWS = (1, 5, 10), 10
NAME_WEIGHT = 2.0

Score = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The scores (q,) of examples (ways, shots, d), the names of their classes (ways, d), and queries (q, d)."""


class Texts(NamedTuple):
    """The texts of CLINC150 that occur in no other set, and their features (n, d)."""

    labels: list[str]
    splits: list[str]
    domains: list[str]
    features: Tensor
    names: dict[str, Tensor]


def main() -> None:
    """Measure and write the table."""
    given = parser_of(__doc__).parse_args()
    published = read(given.data, given.features, "minilm", baseline())
    texts = read(given.data, given.features, "texts", checkpoint.load(ZOO / "texts.safetensors"))
    rows = [
        ["largest cosine to a class mean, encoder as published", *figures(published, largest_cosine)],
        ["largest cosine to a class mean", *figures(texts, largest_cosine)],
        ["largest probability of `texts`", *figures(texts, largest_probability)],
        ["`models.familiarity`", *figures(texts, familiar)],
    ]
    header = ["score", *(f"{ways} ways, {shots}-shot" for ways in (45, 150) for shots in SHOTS)]
    PAGE.write_text(filled(PAGE.read_text(), {"none": table(header, rows)}))


def read(data: Path, folder: Path, encoder: str, learner: Learner) -> Texts:
    """All texts and their features."""
    lines = [json.loads(line) for line in (data / "clinc150.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if not line.get("overlap")]
    labels = sorted({line["label"] for line in lines} - {OUT_OF_SCOPE})
    encode = partial(encode_many, learner)
    texts = [line["text"] for line in lines]
    features = stored(folder / f"{encoder}-clinc150.npy", len(texts), lambda some: encode([texts[i] for i in some]))
    with torch.no_grad():
        names = dict(zip(labels, encode([plain_words(label) for label in labels]), strict=True))
    of = {key: [line[key] for line in lines] for key in ("label", "split", "domain")}
    return Texts(of["label"], of["split"], of["domain"], features, names)


def figures(texts: Texts, score: Score) -> list[str]:
    """The area under the ROC curve in %, for the test domains and for all, over several draws of examples."""
    found = []
    for domains in (TEST_DOMAINS, tuple(set(texts.domains) - {OUT_OF_SCOPE})):
        for shots in SHOTS:
            drawn = [area(texts, score, domains, shots, seed) for seed in range(DRAWS)]
            found.append(f"{100 * fmean(drawn):.1f} ± {196 * stdev(drawn) / DRAWS**0.5:.1f}")
            Console().print(getattr(score, "__name__", ""), len(domains), shots, found[-1])
    return found


def area(texts: Texts, score: Score, domains: Sequence[str], shots: int, seed: int) -> float:
    """The area under the ROC curve of one draw of examples."""
    labels, splits, rng = np.array(texts.labels), np.array(texts.splits), np.random.default_rng(seed)
    inside = np.isin(texts.domains, domains)
    classes = np.unique(labels[inside])
    chosen = [rng.permutation(np.flatnonzero((labels == each) & (splits == "train")))[:shots] for each in classes]
    asked = (splits == "test") & (inside | (labels == OUT_OF_SCOPE))
    names = torch.stack([texts.names[each] for each in classes])
    scores = score(texts.features[np.stack(chosen)], names, texts.features[asked])
    return float(roc_auc_score(labels[asked] != OUT_OF_SCOPE, scores.numpy()))


def largest_probability(examples: Tensor, names: Tensor, query: Tensor) -> Tensor:
    """The probability of the answer of `texts`."""
    ways, shots = examples.shape[:2]
    targets = torch.arange(ways).repeat_interleave(shots)
    support = Support(examples.flatten(0, 1), targets, full_mask(targets), ways, names)
    head = NamedLogistic(Frozen(examples.shape[-1]))
    with torch.no_grad():
        return head.predict(head.adapt(support), query).softmax(-1).amax(-1)


def familiar(examples: Tensor, names: Tensor, query: Tensor) -> Tensor:
    """The score of this project, with the names among the examples."""
    ways, shots = examples.shape[:2]
    weights = torch.cat([torch.eye(ways).repeat_interleave(shots, 0), NAME_WEIGHT * torch.eye(ways)])
    return familiarity(torch.cat([examples.flatten(0, 1), names]), weights, query)


def largest_cosine(examples: Tensor, names: Tensor, query: Tensor) -> Tensor:
    """The baseline, without names."""
    return (query @ F.normalize(examples.mean(1), dim=-1).T).amax(-1)


if __name__ == "__main__":
    main()
