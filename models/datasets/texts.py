"""Texts with labels from JSON Lines files: the data on which `texts` is meta-trained and measured."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from models.class_names import plain_words
from models.datasets.dataset import Dataset
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Kind, Support

CLINC150 = "clinc150"
VALIDATION_DOMAINS = ("auto_and_commute", "kitchen_and_dining", "work")
TEST_DOMAINS = ("banking", "credit_cards", "home")
OUT_OF_SCOPE = "oos"

TRAINED_ON = {
    CLINC150: 6.0,
    "attack_techniques": 1.0,
    "bestbuy_categories": 1.0,
    "goemotions": 1.0,
    "insurance_finance_intents": 1.0,
    "naijasenti": 1.0,
    "snips": 1.0,
}
"""The sets that training episodes come from, by how often. Their licences allow any use; the others are share-alike or
kept for reports."""
HELD_OUT = ("sgd_intents", "sms_spam", "stackexchange_intents", "xsid")


class Example(NamedTuple):
    """A line of a file."""

    text: str
    label: str
    split: str
    domain: str


class LabelledTexts(NamedTuple):
    """The texts of each class that a client gives as examples, and those that it asks for."""

    support: dict[str, list[str]]
    query: dict[str, list[str]]


class TextSampler(EpisodeSampler):
    """Episodes over sets of labelled texts: one set is drawn, then classes, then texts of each.

    A set with fewer classes than an episode wants gives all that it has. Where the same texts serve as support and as
    queries, the two are disjoint.

    Args:
        sets: The sets by name.
        weights: How often each is drawn. None: all alike.
    """

    def __init__(self, sets: Mapping[str, LabelledTexts], weights: Mapping[str, float] | None = None) -> None:
        self.sets, self.names = sets, list(sets)
        chances = np.array([1.0 if weights is None else weights[name] for name in self.names])
        self.chances = chances / chances.sum()

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """Draw one episode. Its inputs and class names are lists of texts."""
        drawn = self.sets[self.names[rng.choice(len(self.names), p=self.chances)]]
        classes = [c for c in drawn.support if _enough(drawn, c, shape)]
        chosen = [classes[i] for i in rng.permutation(len(classes))[: shape.ways]]
        support, query = zip(*(_draw(drawn, c, rng, shape) for c in chosen), strict=True)
        targets = torch.arange(len(chosen))
        mask = torch.ones(len(chosen) * shape.shots, dtype=torch.bool)
        counts = torch.tensor([len(each) for each in query])
        names: Any = [plain_words(c) for c in chosen]
        given: Any = list(chain.from_iterable(support))
        asked: Any = list(chain.from_iterable(query))
        learned = Support(given, targets.repeat_interleave(shape.shots), mask, len(chosen), names)
        return Episode(learned, asked, targets.repeat_interleave(counts))


def _enough(drawn: LabelledTexts, label: str, shape: Shape) -> bool:
    own, asked = drawn.support[label], drawn.query.get(label, [])
    return len(own) >= shape.shots + shape.queries if own is asked else bool(asked) and len(own) >= shape.shots


def _draw(drawn: LabelledTexts, label: str, rng: np.random.Generator, shape: Shape) -> tuple[list[str], list[str]]:
    own, asked = drawn.support[label], drawn.query[label]
    order = rng.permutation(len(own))
    support = [own[i] for i in order[: shape.shots]]
    if own is asked:
        return support, [own[i] for i in order[shape.shots : shape.shots + shape.queries]]
    return support, [asked[i] for i in rng.permutation(len(asked))[: shape.queries]]


@cache
def _examples(path: Path) -> tuple[Example, ...]:
    return tuple(_lines(path))


def _lines(path: Path) -> Iterator[Example]:
    """The examples of a file that occur in no other set."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            values = json.loads(line)
            if not values.get("overlap"):
                yield Example(values["text"], values["label"], values["split"], values.get("domain", ""))


def _by_label(examples: list[Example]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for example in examples:
        texts.setdefault(example.label, []).append(example.text)
    return texts


def _trained(examples: list[Example]) -> LabelledTexts:
    """Support and queries from the training split."""
    own = _by_label([each for each in examples if each.split == "train"])
    return LabelledTexts(own, own)


def _asked(examples: list[Example]) -> LabelledTexts:
    """Support from the training split, queries from the test split."""
    return LabelledTexts(
        _by_label([each for each in examples if each.split == "train"]),
        _by_label([each for each in examples if each.split == "test"]),
    )


def _open(path: Path, split: str, input: Mapping[str, Any]) -> TextSampler:
    if split == "train":
        return TextSampler({name: _trained(_training(path, name)) for name in TRAINED_ON}, TRAINED_ON)
    if split in ("val", "test"):
        domains = VALIDATION_DOMAINS if split == "val" else TEST_DOMAINS
        return TextSampler({CLINC150: _asked([each for each in _read(path, CLINC150) if each.domain in domains])})
    return TextSampler({split: _asked(_read(path, split))})


def _training(path: Path, name: str) -> list[Example]:
    kept = (*VALIDATION_DOMAINS, *TEST_DOMAINS, OUT_OF_SCOPE)
    return [each for each in _read(path, name) if each.domain not in kept]


def _read(path: Path, name: str) -> list[Example]:
    file = path / f"{name}.jsonl" if name == CLINC150 else path / "texts" / f"{name}.jsonl"
    return list(_examples(file))


SPLITS = ("train", "val", "test", *(name for name in (*TRAINED_ON, *HELD_OUT) if name != CLINC150))

TEXTS = Dataset(
    name="texts",
    kind=Kind.CLASSIFICATION,
    input_type="text",
    splits=dict.fromkeys(SPLITS, "FOLDER"),
    test_split="test",
    open=_open,
    source="the folder with clinc150.jsonl and texts/",
)
