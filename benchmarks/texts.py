"""The table of docs/texts.md: `texts` beside logistic regression on the encoder as published, on every set.

    python -m benchmarks.texts --data FOLDER

Each episode has all classes of a set that have enough texts, at most 45, and up to ten queries of each.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.methods import filled, table
from models import checkpoint
from models.checkpoint import Spec
from models.datasets import DATASETS
from models.datasets.episode import Shape
from models.datasets.texts import HELD_OUT, SPLITS
from models.learner import Kind, Learner
from models.recipes.texts import MINILM
from models.training.calibration import calibration_error
from models.training.evaluation import Predictions, predict_episodes, score, summarise
from service.settings import ZOO

PAGE = Path(__file__).parents[1] / "docs" / "texts.md"
WAYS, QUERIES, SEED, EPISODES = 45, 10, 0, 20
SHOTS = (1, 5, 10)
INPUT = {"type": "text"}


def main() -> None:
    """Measure every set and write the table, after each set anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="The folder with clinc150.jsonl and texts/.")
    folder = parser.parse_args().data
    learners = (baseline(), checkpoint.load(ZOO / "texts.safetensors"))
    for learner in learners:
        learner.encode = RememberedFeatures(learner)  # type: ignore[assignment, method-assign]  # a text is encoded once
    rows: list[list[str]] = []
    for split in ("test", *(split for split in SPLITS if split not in ("train", "val", "test"))):
        rows.append(row(learners, folder, split))
        print(*rows[-1], flush=True)
        PAGE.write_text(filled(PAGE.read_text(), {"texts": table(header(), rows) + "\n"}))


class RememberedFeatures:
    """The encoder of a learner, with the features of all texts so far."""

    def __init__(self, learner: Learner) -> None:
        self._encode, self._known = learner.encode, dict[str, Tensor]()

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Features (n, d) of n texts."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known |= dict(zip(new, self._encode(new), strict=True))
        return torch.stack([self._known[text] for text in texts])


def baseline() -> Learner:
    """Logistic regression on the published encoder, with the penalty of `texts`."""
    return checkpoint.build(Spec("logistic", "text", {"penalty": 0.05}, dict(MINILM))).eval().requires_grad_(False)


def header() -> list[str]:
    """The columns: for each number of shots the baseline, the model, and its calibration error."""
    return ["set", "classes", *(f"{shots}-shot: {name}" for shots in SHOTS for name in ("baseline", "texts", "ECE"))]


def row(learners: Sequence[Learner], folder: Path, split: str) -> list[str]:
    """One set. A star marks sets that were not trained on."""
    name = "CLINC150, test domains" if split == "test" else split + ("*" if split in HELD_OUT else "")
    cells: list[str] = []
    ways = 0
    for shots in SHOTS:
        plain, own = (predicted(learner, folder, split, shots) for learner in learners)
        if not own:
            cells += ["", "", ""]
            continue
        ways = max(ways, own[0].answers.shape[-1])
        cells += [accuracy(plain), accuracy(own), f"{100 * calibration_error(own, 1.0):.1f}"]
    return [name, str(ways), *cells]


def predicted(learner: Learner, folder: Path, split: str, shots: int) -> list[Predictions]:
    """The answers to all episodes; none where fewer than two classes have enough texts."""
    sampler = DATASETS["texts"].episodes(folder, split, INPUT)
    shape = Shape(WAYS, shots, QUERIES)
    found = list(predict_episodes(learner, sampler, shape, EPISODES, SEED, torch.device("cpu")))
    return found if found[0].answers.shape[-1] > 1 else []


def accuracy(predictions: Sequence[Predictions]) -> str:
    """In %, with the 95 % interval over episodes."""
    found = summarise([score(Kind.CLASSIFICATION, each) for each in predictions])["accuracy"]
    return f"{100 * found['mean']:.1f} ± {100 * found['ci95']:.1f}"


if __name__ == "__main__":
    main()
