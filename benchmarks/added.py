"""Calibrate the learners that `handful add` puts on an encoder, and measure their calibration error.

    python -m benchmarks.added --data FOLDER --features FOLDER      # the data; where encoded inputs are kept

The temperatures by ways and shots are fitted on CLINC150's validation domains in the features of MiniLM, and on
validation classes of Grocery in those of EfficientNet-Lite0. They go into service/commands/added.json. The errors are
measured on test classes: as the probabilities come, with the temperatures of the same kind of input, and with those
of the other kind. For texts, the features of another encoder, the one of `texts`, are tested too.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.features import parser_of
from benchmarks.heads import SEED, answers, shapes
from benchmarks.learners_on_features import Answer, Frozen, own_texts, photos, texts
from benchmarks.methods import ROOT, filled
from models.datasets.episode import EpisodeSampler
from models.learner import Learner
from models.learners import LEARNERS
from models.training.calibration import calibration_error, fit_temperature
from models.training.evaluation import Predictions, predict_episodes
from models.training.task_calibration import task_calibration
from service.cards import Calibration
from service.commands.add import OPTIONS
from service.commands.added import DEFAULTS, Default
from service.commands.calibrate import EPISODES, SHAPES, as_written
from service.commands.calibrate import SEED as CALIBRATION_SEED

PAGE = ROOT / "docs/own-data.md"
LEARNED = {"text": ("logistic", "ridge"), "photo": ("ridge", "logistic")}
WIDTH = {"text": 384, "photo": 1280}
SPLIT = {
    "text": "CLINC150's validation domains, in the features of all-MiniLM-L6-v2",
    "photo": "12 classes of the Grocery Store Dataset, in the features of EfficientNet-Lite0",
}
TESTED = shapes((5, 1), (5, 5), (20, 1), (20, 5))
TEST_EPISODES = 100
CPU = torch.device("cpu")


def main() -> None:
    """Fit, measure, and write the file and the table of the page."""
    given = parser_of(__doc__).parse_args()
    validation = {
        "text": texts(given.data, "val", given.features),
        "photo": photos(given.data, "grocery-val", given.features),
    }
    found = {
        type: {name: fitted(built(type, name), validation[type], SPLIT[type]) for name in names}
        for type, names in LEARNED.items()
    }
    dumped = {
        type: {name: each.model_dump(exclude_none=True) for name, each in own.items()} for type, own in found.items()
    }
    DEFAULTS.write_text(json.dumps(dumped, indent=1) + "\n")
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines(found, given.data, given.features))
    print(table)
    PAGE.write_text(filled(PAGE.read_text(), {"added": table}))


def built(type: str, name: str) -> Learner:
    """A learner as `handful add` makes it, on features that are encoded already."""
    return LEARNERS[name](Frozen(WIDTH[type]), **OPTIONS.get(name, {})).eval().requires_grad_(False)


def fitted(learner: Learner, sampler: EpisodeSampler, split: str) -> Default:
    """One temperature for all tasks, and those by ways and shots."""
    fitting = filter(None, map(sampler.fitting, SHAPES))
    answered = [
        each
        for shape in dict.fromkeys(fitting)
        for each in predict_episodes(learner, sampler, shape, EPISODES, CALIBRATION_SEED, CPU)
    ]
    usual = fit_temperature(answered)
    found = task_calibration(learner, sampler, CALIBRATION_SEED, CPU, usual)
    tasks = [as_written(each, digits=3).model_copy(update={"familiar": None}) for each in found]
    return Default(temperature=float(f"{usual:.3g}"), calibration=Calibration(split=split, coverages=(), tasks=tasks))


def lines(found: dict[str, dict[str, Default]], data: Path, folder: Path) -> Iterator[list[str]]:
    """A row for each learner on the features of each encoder."""
    yield ["features", "learner", *(shape.title() for shape in TESTED)]
    yield ["---"] * (2 + len(TESTED))
    tested: dict[str, tuple[str, Any]] = {
        "MiniLM, CLINC150": ("text", partial(texts, data, "test", folder)),
        "encoder of `texts`, CLINC150": ("text", partial(own_texts, data, "test", folder)),
        "EfficientNet-Lite0, Grocery": ("photo", partial(photos, data, "grocery-test", folder)),
    }
    for title, (type, opened) in tested.items():
        other = next(each for each in found if each != type)
        for name in sorted(LEARNED[type]):
            cells = []
            for shape in TESTED:
                predicted = list(answers(answer(built(type, name)), opened(), shape, TEST_EPISODES, SEED))
                given = [found[type][name], found[other][name]]
                temperatures = [1.0, *(each.calibration.of(shape.ways, shape.shots).temperature for each in given)]
                cells.append(" / ".join(error(predicted, each) for each in temperatures))
            yield [title, f"`{name}`", *cells]


def answer(learner: Learner) -> Answer:
    """The answers of a learner to an episode of features."""
    return lambda episode: learner.answer(episode.support._replace(names=None), episode.query)


def error(predicted: list[Predictions], temperature: float) -> str:
    """The expected calibration error, in percent."""
    return f"{100 * calibration_error(predicted, temperature):.1f}"


if __name__ == "__main__":
    main()
