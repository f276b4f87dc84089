"""Random curves from few points: the models of the zoo beside the exact Gaussian process, on the same curves.

python -m benchmarks.curves        # a minute
"""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.figures import Figure, Table, figure_of, publish
from models import checkpoint
from models.datasets.curves import KERNELS, Curve, Curves, posterior
from models.datasets.episode import Shape, rng_of
from models.gaussian import NINE_TENTHS, log_likelihood, parted
from models.recipes.curves import CURVES
from service.cards import Catalogue
from service.settings import ZOO

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


def row(answer: Answer, kernels: tuple[str, ...], shots: int, count: int) -> list[str | Figure]:
    """The means over curves, with 95 % intervals. A figure that a model lacks is empty."""
    sampler, shape = Curves(kernels), Shape(0, shots, QUERIES)
    found = [measure(answer, sampler.draw(rng_of(SEED, i), shape)) for i in range(count)]
    mse, likelihood, covered, half = zip(*found, strict=True)
    figures = figure_of(mse, 3), figure_of(likelihood, 3), figure_of([100 * each for each in covered], 1)
    return ["" if math.isnan(each.mean) else each for each in (*figures, figure_of(half, 3))]


def tables(count: int) -> dict[str, Table]:
    """The tables of docs/applications.md, from so many curves each."""
    answers = {"exact Gaussian process, known kernel": exact} | {f"`{name}`": of_model(name) for name in CURVES}
    head = ["model", "MSE", "log-likelihood", "in the 90 % interval, %", "half width"]
    by_shots = [[str(n), name, *row(each, KERNELS, n, count)] for n in SHOTS for name, each in answers.items()]
    by_kernel = [[each, name, *row(own, (each,), 10, count)] for each in KERNELS for name, own in answers.items()]
    return {"curves": Table(["points", *head], by_shots), "kernels": Table(["curves, 10 points", *head], by_kernel)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=200)
    count = parser.parse_args(arguments).curves
    torch.set_num_threads(1)
    with torch.no_grad():
        publish(tables(count))


if __name__ == "__main__":
    main()
