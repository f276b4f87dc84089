"""Random curves from few points: the models of the zoo beside the exact Gaussian process, on the same curves.

python -m benchmarks.curves        # a minute
"""

import argparse
import math
from collections.abc import Callable
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.methods import ROOT, filled, table
from models import checkpoint
from models.datasets.curves import KERNELS, Curve, Curves, posterior
from models.datasets.episode import Shape, rng_of
from models.gaussian import NINE_TENTHS, log_likelihood, parted
from models.recipes.curves import CURVES
from service.cards import Catalogue
from service.settings import ZOO

PAGE = ROOT / "docs/applications.md"
SHOTS, QUERIES, SEED = (3, 10, 30), 30, 7
LEVEL = 0.9

Answer = Callable[[Curve], tuple[Tensor, Tensor]]
"""The answers to the queries of a curve, and the half widths of their intervals as the service gives them."""


class Measured(NamedTuple):
    """The figures of one curve. A model without standard deviations has no likelihood."""

    mse: float
    likelihood: float
    covered: float
    half_width: float


def exact(curve: Curve) -> tuple[Tensor, Tensor]:
    """The Gaussian process with the kernel that the curve was drawn with."""
    answers = posterior(curve.kernel, curve.episode.support, curve.episode.query)
    return answers, NINE_TENTHS * answers[:, 1:]


def of_model(name: str) -> Answer:
    """A model of the zoo, with the intervals of its card."""
    learner, card = checkpoint.load(ZOO / f"{name}.safetensors"), Catalogue(ZOO)[name]

    def answer(curve: Curve) -> tuple[Tensor, Tensor]:
        answers = learner.answer(curve.episode.support, curve.episode.query)
        scale = card.errors.at(len(curve.episode.support.mask), LEVEL) if card.errors else None
        values, deviations = parted(answers, 1)
        return answers, (scale or math.nan) * (torch.ones_like(values) if deviations is None else deviations)

    return answer


def measure(answer: Answer, curve: Curve) -> Measured:
    """The figures of a method on one curve."""
    (answers, half), targets = answer(curve), curve.episode.targets
    values, deviations = parted(answers, 1)
    likelihood = math.nan if deviations is None else log_likelihood(answers, targets).mean().item()
    errors = (values - targets).abs()
    return Measured(
        errors.square().mean().item(), likelihood, (errors <= half).float().mean().item(), half.mean().item()
    )


def row(answer: Answer, kernels: tuple[str, ...], shots: int, count: int) -> list[str]:
    """The means over curves, with 95 % intervals."""
    sampler, shape = Curves(kernels), Shape(0, shots, QUERIES)
    found = [measure(answer, sampler.draw(rng_of(SEED, i), shape)) for i in range(count)]
    return [
        _cell([each[i] for each in found], "{:.1f}" if i == 2 else "{:.3f}", 100 if i == 2 else 1) for i in range(4)
    ]


def _cell(values: list[float], form: str, scale: float) -> str:
    if math.isnan(values[0]):
        return ""
    half = 1.96 * stdev(values) / math.sqrt(len(values))
    return f"{form.format(scale * fmean(values))} ± {form.format(scale * half)}"


def main() -> None:
    """Write the tables of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=200)
    count = parser.parse_args().curves
    torch.set_num_threads(1)
    answers = {"exact Gaussian process, known kernel": exact} | {f"`{name}`": of_model(name) for name in CURVES}
    head = ["MSE", "log-likelihood", "in the 90 % interval, %", "half width"]
    rows = [[str(shots), name, *row(each, KERNELS, shots, count)] for shots in SHOTS for name, each in answers.items()]
    parts = {"curves": table(["points", "model", *head], rows)}
    both = list(answers.items())[:2]
    rows = [[kernel, name, *row(each, (kernel,), 10, count)] for kernel in KERNELS for name, each in both]
    parts["kernels"] = table(["curves, 10 points", "model", *head], rows)
    PAGE.write_text(filled(PAGE.read_text(), parts))


if __name__ == "__main__":
    with torch.no_grad():
        main()
