"""What the inner loop is worth: the table "Inner loops" of docs/methods.md.

    python -m benchmarks.inner_loop --data omniglot.npz

Each gradient-based model of drawings answers the same test episodes three times: with the encoder kept as it was
meta-trained, so that only the head adapts; with all weights adapted, as it is served; and with more steps.
"""

import argparse
import math
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, stdev

import torch
from rich.console import Console

from benchmarks.methods import PAGE, filled, table
from models import checkpoint
from models.datasets import dataset_of
from models.datasets.episode import Shape
from models.inner_loop import GradientLearner
from models.learner import State
from models.training.evaluation import evaluate
from service.cards import Catalogue
from service.settings import ZOO

MODELS = ("maml", "fomaml", "reptile", "meta-sgd", "maml-plus-plus", "alfa", "proto-maml")
SHAPES = (Shape(5, 1, 5), Shape(20, 1, 5))
MORE_STEPS = 10


def main() -> None:
    """Measure and write the table, a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=300)
    given = parser.parse_args()
    head = ["model", "episodes", "head only", "all weights", "difference", f"{MORE_STEPS} steps", "difference"]
    rows = []
    for model in MODELS:
        for shape in SHAPES:
            rows.append([f"`glyphs-{model}`", shape.title(), *measured(f"glyphs-{model}", shape, given)])
            Console().print(rows[-1])
            PAGE.write_text(filled(PAGE.read_text(), {"inner-loop": table(head, rows)}))


def measured(model: str, shape: Shape, given: argparse.Namespace) -> list[str]:
    """The accuracies in %, and their differences to all weights adapted, with 95 % intervals over episodes."""
    frozen, served, longer = (accuracies(learner, model, shape, given) for learner in variants(model))
    return [
        f"{100 * fmean(frozen):.2f}",
        f"{100 * fmean(served):.2f}",
        difference(served, frozen),
        f"{100 * fmean(longer):.2f}" if longer else "diverges",
        difference(longer, served) if longer else "",
    ]


def variants(model: str) -> Iterable[GradientLearner]:
    """The model with its encoder kept, as it is served, and with more steps."""
    for number in range(3):
        learner = checkpoint.load(ZOO / f"{model}.safetensors")
        assert isinstance(learner, GradientLearner)
        if number == 0:
            keep_encoder(learner)
        if number == 2:
            learner.eval_inner_steps = MORE_STEPS
        yield learner


def keep_encoder(learner: GradientLearner) -> None:
    """Let the inner loop change nothing of the encoder."""
    of = type(learner)

    def update(self: GradientLearner, number: int, params: State, gradients: State) -> State:
        updated = of.update(self, number, params, gradients)
        return {name: params[name] if name.startswith("encoder.") else updated[name] for name in params}

    learner.__class__ = type(of.__name__, (of,), {"update": update})


def accuracies(learner: GradientLearner, model: str, shape: Shape, given: argparse.Namespace) -> list[float]:
    """The accuracy of each episode; empty where the steps diverge."""
    card = Catalogue(ZOO)[model]
    sampler = dataset_of("omniglot").episodes(given.data, "vinyals-test", card.input.model_dump())
    scores = evaluate(learner, sampler, shape, given.episodes, 0, torch.device("cpu"))
    found = [each["accuracy"] for each in scores]
    return found if all(map(math.isfinite, found)) else []


def difference(one: list[float], other: list[float]) -> str:
    """The mean of the paired differences in %, with its interval."""
    pairs = [100 * (a - b) for a, b in zip(one, other, strict=True)]
    return f"{fmean(pairs):+.2f} ± {1.96 * stdev(pairs) / len(pairs) ** 0.5:.2f}"


if __name__ == "__main__":
    main()
