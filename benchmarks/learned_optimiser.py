"""Meta-train the learned optimiser, and measure it beside SGD and Adam: a table of docs/applications.md.

    python -m benchmarks.learned_optimiser --data FOLDER --features FOLDER --train    # without --train: measure only

The tasks: a linear classifier on the features of `glyphs`, from zero, and a network of sinusoids, from random weights.
The rates of SGD and Adam are the best on validation tasks, for each kind of task and each number of steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track
from torch import Tensor

from benchmarks.features import parser_of
from benchmarks.figures import Figure, Table, figure_of, publish
from benchmarks.streams.sources import split_drawings
from models import update_rule
from models.datasets.episode import Shape, rng_of
from models.datasets.sinusoid import Sinusoid
from models.learner import State
from models.update_rule import UpdateRule

STEPS, TASKS, LR = 250, 3, 3e-3
"""Of the meta-training: steps, tasks of each, and the learning rate."""
UNROLLED, MEASURED = 20, (5, 20)
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
EVALUATED, TUNED = 60, 15
TRAINED_ON, VALIDATION, TEST = 0, 1, 2
"""Seeds of tasks."""
SIZE, WIDTHS = 8.0, (1, 40, 40, 1)
"""The length of a feature vector, and the layers of the network of sinusoids."""


class Task(NamedTuple):
    """A loss to minimise from initial weights, the loss on queries, and what is reported of the weights."""

    start: State
    loss: Callable[[State], Tensor]
    query_loss: Callable[[State], Tensor]
    report: Callable[[State], float]


Draw = Callable[[np.random.Generator], Task]
Optimiser = Callable[[Callable[[State], State], State], Iterator[State]]
"""The weights after each step, from gradients and initial weights."""

Counts = tuple[int, int]
"""Tasks to tune on, and to measure."""


def drawings(features: Tensor, shape: Shape, rng: np.random.Generator) -> Task:
    """Tell characters apart by a linear classifier on features (characters, drawings, d)."""
    chosen = torch.from_numpy(rng.choice(len(features), shape.ways, replace=False))
    places = torch.from_numpy(rng.permutation(features.shape[1])[: shape.shots + shape.queries])
    drawn, labels = features[chosen][:, places], torch.arange(shape.ways)
    support, query = drawn[:, : shape.shots].flatten(0, 1), drawn[:, shape.shots :].flatten(0, 1)
    known, wanted = labels.repeat_interleave(shape.shots), labels.repeat_interleave(shape.queries)

    def loss(inputs: Tensor, targets: Tensor, state: State) -> Tensor:
        return F.cross_entropy(F.linear(inputs, **state), targets)

    def accuracy(state: State) -> float:
        return 100 * float((F.linear(query, **state).argmax(-1) == wanted).float().mean())

    start = {"weight": torch.zeros(shape.ways, features.shape[-1]), "bias": torch.zeros(shape.ways)}
    return Task(start, partial(loss, support, known), partial(loss, query, wanted), accuracy)


def sinusoids(rng: np.random.Generator) -> Task:
    """Fit a wave by a network with random weights."""
    support, query, targets = Sinusoid().episode(rng, Shape(0, 10, 20))

    def loss(inputs: Tensor, wanted: Tensor, state: State) -> Tensor:
        return (network(state, inputs) - wanted).square().mean()

    query_loss = partial(loss, query, targets)
    start = fresh(torch.Generator().manual_seed(int(rng.integers(2**31))))
    return Task(
        start, partial(loss, support.inputs, support.targets), query_loss, lambda state: float(query_loss(state))
    )


def fresh(generator: torch.Generator) -> State:
    """Random weights, as of `torch.nn.Linear`."""
    state = {}
    for i, (a, b) in enumerate(pairwise(WIDTHS)):
        for name, shape in (("weight", (b, a)), ("bias", (b,))):
            state[f"{i}.{name}"] = (2 * torch.rand(shape, generator=generator) - 1) / a**0.5
    return state


def network(state: State, inputs: Tensor) -> Tensor:
    """The values (n, 1) of inputs (n, 1)."""
    count = len(WIDTHS) - 1
    for i in range(count):
        inputs = F.linear(inputs, state[f"{i}.weight"], state[f"{i}.bias"])
        inputs = inputs if i == count - 1 else inputs.relu()
    return inputs


def by_torch(
    kind: type[torch.optim.Optimizer], lr: float, gradients: Callable[[State], State], start: State
) -> Iterator[State]:
    """Steps of an optimiser of torch."""
    params = {name: value.clone() for name, value in start.items()}
    optimiser = kind(list(params.values()), lr=lr)  # type: ignore[call-arg]  # all have it
    while True:
        for name, gradient in gradients(params).items():
            params[name].grad = gradient
        optimiser.step()
        yield params


def constants(task: Task, state: State) -> State:
    """The gradients of the loss, which are constants to the meta-gradient."""
    found: State = torch.func.grad(task.loss)(state)
    return {name: each.detach() for name, each in found.items()}


def train(draws: Sequence[Draw]) -> UpdateRule:
    """Minimise the mean query loss of the steps, relative to that of the start."""
    torch.manual_seed(0)
    rule = UpdateRule()
    outer = torch.optim.Adam(rule.parameters(), lr=LR)
    for step in track(range(STEPS), "Meta-training", console=Console(stderr=True)):
        tasks = [draws[i % len(draws)](rng_of(TRAINED_ON, step * TASKS + i)) for i in range(TASKS)]
        losses = [loss for task in tasks if (loss := relative_loss(rule, task)).isfinite()]  # early ones may diverge
        outer.zero_grad()
        torch.autograd.backward(torch.stack(losses).mean())
        torch.nn.utils.clip_grad_norm_(rule.parameters(), 1.0)
        outer.param_groups[0]["lr"] = LR * (1 - step / STEPS)
        outer.step()
    return rule


def relative_loss(rule: UpdateRule, task: Task) -> Tensor:
    """The logarithm of the mean query loss of the steps over that of the start."""
    steps = islice(rule.trajectory(partial(constants, task), task.start), UNROLLED)
    losses = torch.stack([task.query_loss(state) for state in steps])
    return (losses.mean() / task.query_loss(task.start)).log()


@torch.no_grad()
def scores(optimiser: Optimiser, draw: Draw, seed: int, count: int) -> list[list[float]]:
    """What is reported of each task after each number of steps in `MEASURED`, (steps, tasks)."""
    found = []
    for i in range(count):
        task = draw(rng_of(seed, i))
        steps = islice(optimiser(partial(constants, task), task.start), max(MEASURED))
        found.append([task.report(state) for number, state in enumerate(steps, 1) if number in MEASURED])
    return [list(each) for each in zip(*found, strict=True)]


class Kind(NamedTuple):
    """Tasks of a kind: to train on, to tune on and to test; whether more is better."""

    train: Draw
    validation: Draw
    test: Draw
    more: bool


def row(name: str, variants: Sequence[Optimiser], kinds: Mapping[str, Kind], counts: Counts) -> list[str | Figure]:
    """The figures of the variant that is best on validation tasks, for each kind of task and number of steps."""
    cells: list[str | Figure] = [name]
    for kind in kinds.values():
        tuned = [scores(each, kind.validation, VALIDATION, counts[0]) for each in variants]
        tested = {}
        for place in range(len(MEASURED)):
            by_variant = [np.nan_to_num(fmean(each[place]), nan=-np.inf if kind.more else np.inf) for each in tuned]
            best = int(np.argmax(by_variant) if kind.more else np.argmin(by_variant))
            if best not in tested:
                tested[best] = scores(variants[best], kind.test, TEST, counts[1])
            cells.append(figure_of(tested[best][place], 1 if kind.more else 2))
    return cells


def kinds_of(features: Sequence[Tensor]) -> dict[str, Kind]:
    """The tasks, from features of training, validation and test characters."""
    shapes = {"20-way 1-shot": Shape(20, 1, 5), "5-way 5-shot": Shape(5, 5, 5)}
    return {
        f"drawings, {name}, accuracy %": Kind(train, validation, test, True)
        for name, shape in shapes.items()
        for train, validation, test in [[partial(drawings, own, shape) for own in features]]
    } | {"sinusoids, 10 points, MSE": Kind(sinusoids, sinusoids, sinusoids, False)}


def features_of(data: Path, folder: Path) -> list[Tensor]:
    """Features (characters, drawings, d) of each split, of one length."""
    parts = (split_drawings(data, folder, f"alphabets-{part}")[1] for part in ("train", "val", "test"))
    return [SIZE * F.normalize(part, dim=-1) for part in parts]


def table_of(kinds: Mapping[str, Kind], rule: UpdateRule, counts: Counts) -> Table:
    """The learned optimiser beside those with the best rates."""
    rows = [row("learned", [rule.requires_grad_(False).trajectory], kinds, counts)]
    for name, kind in (("SGD, best rate", torch.optim.SGD), ("Adam, best rate", torch.optim.Adam)):
        rows.append(row(name, [partial(by_torch, kind, lr) for lr in RATES], kinds, counts))
    return Table(["optimiser", *(f"{name}, {steps} steps" for name in kinds for steps in MEASURED)], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train if asked, and write the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--train", action="store_true", help="Meta-train first, and write the weights that ship.")
    given = parser.parse_args(arguments)
    kinds = kinds_of(features_of(given.data, given.features))
    if given.train:
        update_rule.save(train([kind.train for kind in kinds.values()]))
    rule = UpdateRule()
    rule.load_state_dict(update_rule.shipped())
    publish({"optimisers": table_of(kinds, rule, (TUNED, EVALUATED))})


if __name__ == "__main__":
    main()
