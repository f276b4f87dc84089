"""What `texts` knows of other languages, and what a multilingual encoder does: the tables of docs/applications.md.

    python -m benchmarks.languages --data FOLDER --encoder runs/multilingual-e5-small --prefix "query: "    # minutes

The sentences of xSID are the same in all languages, so each language learns from and is asked the same.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from torch import Tensor

from benchmarks.figures import Figure, Table, figure_of, publish
from benchmarks.texts import RememberedFeatures
from models import checkpoint
from models.class_names import plain_words
from models.encoders.kinds import encoder_of
from models.learner import Learner, Support
from service.commands.add import build
from service.settings import ZOO

ENGLISH, SHOTS, TWEETS, DRAWS = "en", (1, 4), (5, 20, 50), 20
CHARACTERS = "characters"
NAMES = {
    "ar": "Arabic", "da": "Danish", "de": "German", "en": "English", "gsw": "Swiss German", "hau": "Hausa",
    "ibo": "Igbo", "id": "Indonesian", "it": "Italian", "kk": "Kazakh", "lt": "Lithuanian", "nap": "Neapolitan",
    "nl": "Dutch", "pcm": "Nigerian Pidgin", "sr": "Serbian", "tr": "Turkish", "yor": "Yoruba", "zh": "Chinese",
}  # fmt: skip


class Labelled(NamedTuple):
    """Texts with a label of each."""

    texts: Sequence[str]
    labels: Sequence[str]


Answer = Callable[[Labelled, Sequence[str]], Sequence[str]]
"""The labels of texts, learned from labelled ones."""


class Sentences(NamedTuple):
    """Sentences that all languages have: the label of each by id, and the text by language and id."""

    labels: Mapping[str, str]
    texts: Mapping[str, Mapping[str, str]]


def rows_of(path: Path, split: str) -> list[dict[str, str]]:
    """The lines of a split."""
    rows = map(json.loads, path.read_text().splitlines())
    return [row for row in rows if row["split"] == split]


def sentences(path: Path, split: str) -> Sentences:
    """The sentences of a split that all languages have."""
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows_of(path, split):
        texts[row["lang"]][row["id"]] = row["text"]
    shared = set.intersection(*(set(own) for own in texts.values()))
    labels = {row["id"]: row["label"] for row in rows_of(path, split) if row["lang"] == ENGLISH}
    return Sentences({each: labels[each] for each in sorted(shared)}, texts)


def drawn(labels: Mapping[Any, str], classes: Sequence[str], shots: int, seed: int) -> list[Any]:
    """The ids of `shots` examples of each class."""
    rng = np.random.default_rng(seed)
    own = {name: [each for each, label in labels.items() if label == name] for name in classes}
    return [each for name in classes for each in rng.permutation(np.array(own[name], object))[:shots]]


def of_model(learner: Learner) -> Answer:
    """A model that is taught as over HTTP, with the names of the classes."""
    known = RememberedFeatures(learner)

    def answer(taught: Labelled, asked: Sequence[str]) -> list[str]:
        classes = sorted(set(taught.labels))
        targets = torch.tensor([classes.index(label) for label in taught.labels])
        names = known([plain_words(name) for name in classes])
        mask = torch.ones(len(targets), dtype=torch.bool)
        state = learner.adapt(Support(known(taught.texts), targets, mask, len(classes), names))
        found: Tensor = learner.predict(state, known(asked)).argmax(-1)
        return [classes[each] for each in found]

    return answer


def characters(taught: Labelled, asked: Sequence[str]) -> Sequence[str]:
    """Logistic regression on groups of two to four characters, which knows no language."""
    counts = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    model: Pipeline = make_pipeline(counts, LogisticRegression(C=100.0, max_iter=300))
    found: Sequence[str] = model.fit(taught.texts, taught.labels).predict(asked)
    return found


def accuracy(answer: Answer, draws: Iterable[Labelled], asked: Labelled) -> Figure:
    """The mean accuracy in %, with its interval over the texts that are asked."""
    right: list[NDArray[np.float64]] = [
        100.0 * (np.array(answer(taught, asked.texts)) == np.array(asked.labels)) for taught in draws
    ]
    return figure_of(np.mean(right, axis=0).tolist(), 1)


def intents(answers: Mapping[str, Answer], folder: Path, draws: int) -> dict[str, Table]:
    """xSID: each language learned from English sentences, and from the same ones in its own language."""
    train, test = (sentences(folder / "xsid.jsonl", split) for split in ("train", "test"))
    counts = {name: list(train.labels.values()).count(name) for name in set(test.labels.values())}
    classes = sorted(name for name, count in counts.items() if count >= max(SHOTS))
    asked = [each for each, label in test.labels.items() if label in classes]

    def cell(answer: Answer, language: str, given: str, shots: int) -> Figure:
        chosen = [drawn(train.labels, classes, shots, seed) for seed in range(draws)]
        taught = [labelled(train, given, ids) for ids in chosen]
        return accuracy(answer, taught, labelled(test, language, asked))

    def rows(given: str | None, names: Sequence[str]) -> Table:
        columns = [(name, shots) for name in names for shots in SHOTS]
        cells: list[list[str | Figure]] = [
            [NAMES[language], *(cell(answers[name], language, given or language, shots) for name, shots in columns)]
            for language in sorted(train.texts, key=lambda each: (each != ENGLISH, NAMES[each]))
        ]
        return Table(["language", *(f"{name}, {shots} a class" for name, shots in columns)], cells)

    everywhere = [name for name in answers if name != CHARACTERS]
    return {"languages": rows(ENGLISH, everywhere), "own-language": rows(None, list(answers))}


def labelled(known: Sentences, language: str, ids: Sequence[str]) -> Labelled:
    """Sentences in a language."""
    return Labelled([known.texts[language][each] for each in ids], [known.labels[each] for each in ids])


def moods(answers: Mapping[str, Answer], folder: Path, draws: int) -> dict[str, Table]:
    """NaijaSenti: tweets in languages of Nigeria."""
    train, test = (rows_of(folder / "naijasenti.jsonl", split) for split in ("train", "test"))
    columns = [(name, shots) for name in answers for shots in TWEETS]
    rows: list[list[str | Figure]] = []
    for language in sorted({row["lang"] for row in train}):
        own, asked = ([row for row in each if row["lang"] == language] for each in (train, test))
        labels = {i: row["label"] for i, row in enumerate(own)}
        classes = sorted(set(labels.values()))

        def taught(shots: int, own: Any = own, labels: Any = labels, classes: Any = classes) -> Iterator[Labelled]:
            for seed in range(draws):
                ids = drawn(labels, classes, shots, seed)
                yield Labelled([own[i]["text"] for i in ids], [labels[i] for i in ids])

        wanted = Labelled([row["text"] for row in asked], [row["label"] for row in asked])
        rows.append([NAMES[language], *(accuracy(answers[name], taught(shots), wanted) for name, shots in columns)])
    return {"tweets": Table(["language", *(f"{name}, {shots} a class" for name, shots in columns)], rows)}


def learner_on(encoder: str, prefix: str) -> Learner:
    """The model that `handful add` makes of an encoder of texts."""
    _, learner = build(encoder_of(encoder, prefix=prefix), "named-logistic", {})
    return learner


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="The folder with texts/.")
    parser.add_argument("--encoder", required=True, help="A multilingual one: a model folder or a name on the hub.")
    parser.add_argument("--prefix", default="", help="What the encoder wants before each text.")
    parser.add_argument("--draws", type=int, default=DRAWS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    answers: dict[str, Answer] = {
        "`texts`": of_model(checkpoint.load(ZOO / "texts.safetensors")),
        Path(given.encoder).name: of_model(learner_on(given.encoder, given.prefix)),
        CHARACTERS: characters,
    }
    with torch.no_grad():
        for made in (intents, moods):
            publish(made(answers, given.data / "texts", given.draws))


if __name__ == "__main__":
    main()
