"""The tables of docs/methods.md for texts, photos and drawings: every learner on the features of one frozen encoder.

    python -m benchmarks.heads --data FOLDER --features FOLDER      # the data; where encoded inputs are kept

All learners answer the same episodes. The options of each, and one temperature, are chosen on validation classes.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from benchmarks.learners_on_features import SOURCES, Answer, Head, heads
from benchmarks.trained_heads import trained_heads
from models.datasets.episode import EpisodeSampler, Shape, rng_of
from models.learner import Kind
from models.training.calibration import calibration_error, fit_temperature
from models.training.evaluation import Predictions, score, summarise

RESULTS = Path(__file__).parents[1] / "docs" / "heads.json"
QUERIES, EPISODES, SEED = 10, 100, 0
CHOICE_EPISODES, CHOICE_SEED = 8, 2_000_003
console = Console()

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """One table: the kind of inputs, a key of `SOURCES`, the settings, and the episodes of each."""

    kind: str
    shapes: tuple[Shape, ...]
    episodes: int


def shapes(*sizes: tuple[int, int]) -> tuple[Shape, ...]:
    """Settings of so many ways and shots."""
    return tuple(Shape(ways, shots, QUERIES) for ways, shots in sizes)


TABLES = (
    Table("texts", shapes((5, 1), (5, 5), (20, 1), (20, 5), (45, 1), (45, 5)), EPISODES),
    Table("photos", shapes((5, 1), (5, 5), (20, 1), (20, 5)), EPISODES),
    Table("drawings", shapes((5, 1), (5, 5), (20, 1), (20, 5)), EPISODES),
)


def main() -> None:
    """Measure what docs/heads.json lacks. Each row is written when it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="A folder for encoded inputs.")
    parser.add_argument("--only", nargs="*", help="Measure these rows, again if they are known.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for table in TABLES:
        rows = [*heads(table.kind, given.data, given.features), *trained_heads(table.kind, given.data, given.features)]
        for head in rows:
            known = read().get(table.kind, {})
            if head.title in given.only if given.only else head.title not in known:
                keep(table.kind, head.title, row(table, head, given.data, given.features))


def row(table: Table, head: Head, data: Path, folder: Path) -> Row:
    """The figures of one learner: what was chosen, and accuracy and calibration error of every setting."""
    source = SOURCES[table.kind]
    validation, test = (head.episodes(data, split, folder) for split in (source.validation, source.test))
    sizes = [each for each in table.shapes if each.ways * each.shots <= (head.most or 10**6)]
    options, answer = chosen(head, validation, sizes)
    temperature = 1.0 if head.calibrated else fit_temperature(predicted(answer, validation, sizes))
    found: Row = {"options": options, "temperature": temperature, "settings": {}}
    for shape in sizes:
        predictions = list(answers(answer, test, shape, table.episodes, SEED))
        accuracy = summarise([score(Kind.CLASSIFICATION, each) for each in predictions])["accuracy"]
        error = calibration_error(predictions, temperature)
        found["settings"][shape.title()] = {**accuracy, "calibration_error": error, "episodes": table.episodes}
        console.print(
            f"{head.title}, {shape.title()}: {accuracy['mean']:.3f} ± {accuracy['ci95']:.3f}, ECE {error:.3f}"
        )
    return found


def chosen(head: Head, validation: EpisodeSampler, sizes: Sequence[Shape]) -> tuple[dict[str, Any], Answer]:
    """The options with the best mean accuracy on the validation classes, and the learner with them."""
    if len(head.options) == 1:
        return head.options[0], head.build(head.options[0])
    tried = [(mean_accuracy(predicted(head.build(each), validation, sizes)), each) for each in head.options]
    best = max(tried, key=lambda one: one[0])[1]
    return best, head.build(best)


def mean_accuracy(predictions: Sequence[Predictions]) -> float:
    """The mean over episodes."""
    return fmean(score(Kind.CLASSIFICATION, each)["accuracy"] for each in predictions)


def predicted(answer: Answer, sampler: EpisodeSampler, sizes: Sequence[Shape]) -> list[Predictions]:
    """The answers to validation episodes of all settings, with all classes where there are fewer."""
    limited = [shape._replace(ways=min(shape.ways, sampler.max_ways or shape.ways)) for shape in sizes]
    return [each for shape in limited for each in answers(answer, sampler, shape, CHOICE_EPISODES, CHOICE_SEED)]


def answers(answer: Answer, sampler: EpisodeSampler, shape: Shape, count: int, seed: int) -> Iterator[Predictions]:
    """The answers to `count` episodes, the same ones for every learner."""
    for index in range(count):
        episode = sampler.episode(rng_of(seed, index), shape)
        with torch.no_grad():
            logits: Tensor = answer(episode)
        yield Predictions(logits, episode.targets)


def read() -> dict[str, dict[str, Row]]:
    """All rows so far, by table."""
    found: dict[str, dict[str, Row]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def keep(kind: str, title: str, figures: Row) -> None:
    """Write a row."""
    found = read()
    found.setdefault(kind, {})[title] = figures
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
