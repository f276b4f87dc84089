"""Sentences with several intents, made of CLINC150. See `main` for the table of docs/several-labels.md."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from benchmarks.features import Encode, stored
from models.datasets.texts import OUT_OF_SCOPE
from service.arrays import Array

WAYS, GROUPS = 10, 4
SUPPORT, QUERIES = 400, 300
NUMBER_OF_LABELS = (0.15, 0.45, 0.3, 0.1)
"""How often a sentence has none, one, two or three intents."""


class Task(NamedTuple):
    """Sentences of ten intents: features (n, d) and labels (n, ways) of examples and of queries."""

    classes: list[str]
    support: Tensor
    labels: Array
    query: Tensor
    truth: Array


def tasks(data: Path, folder: Path, domains: tuple[str, ...], encode: Encode) -> list[Task]:
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
    parts = features.split([len(each) for each, _ in drawn])
    return [
        Task(group, parts[2 * i], drawn[2 * i][1], parts[2 * i + 1], drawn[2 * i + 1][1])
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
