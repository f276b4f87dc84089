"""The curve of Finn et al. 2017, figure 4: the return before and after gradient steps, each by 20 new trajectories.

handful train navigate-maml-start
python -m benchmarks.navigation_curve --starts runs        # minutes
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from benchmarks.figures import Figure, Table, figure_of, publish
from benchmarks.navigation import (
    ADAPTS,
    PLANE,
    SCRATCH_LRS,
    TEST,
    VALIDATION,
    Field,
    acting,
    goals,
    joined,
    policy_of,
    scratch,
    support_of,
)
from models import checkpoint
from models.datasets.navigation import HORIZON, Floats, Policy, Steps, best
from models.learners.policy_gradient import PolicyMAML
from models.recipes.navigate import NAVIGATE
from service.settings import ZOO

PAPER = PLANE._replace(trajectories=20, steps=HORIZON)
NAME = "navigate-maml"

Policies = Callable[[Callable[[Policy], Steps]], Iterator[Policy]]
"""The policies before and after each step. They get trajectories from the function that they are given."""


def stepping(learner: PolicyMAML, tried: Callable[[Policy], Steps]) -> Iterator[Policy]:
    """The initial policy, and the policies after gradient steps, each by new trajectories of the last policy."""
    support = support_of(tried(np.zeros_like))
    state = learner.initial(support)
    yield acting(learner, state)
    for number in range(ADAPTS):
        support = support_of(tried(acting(learner, state)))
        state = learner.step(number, learner.support_loss(support), state)
        yield acting(learner, state)


def adapting(learner: PolicyMAML, tried: Callable[[Policy], Steps]) -> Iterator[Policy]:
    """What a client gets: the policies after adapts to all trajectories so far, the first of which stay."""
    known, policy = None, policy_of(learner, None)
    yield policy
    for _ in range(ADAPTS):
        known = joined(known, tried(policy))
        policy = policy_of(learner, known)
        yield policy


def knowing(goal: Floats, tried: Callable[[Policy], Steps]) -> Iterator[Policy]:
    """The best actions."""
    return (partial(best, goal=goal) for _ in range(1 + ADAPTS))


def returns(policies: Policies, field: Field, goal: Floats, rng: np.random.Generator) -> list[float]:
    """Minus the sum of the squared distances to the goal, which is the paper's return, of each policy without noise."""

    def tried(policy: Policy) -> Steps:
        return field.rollouts(policy, goal, rng, field.trajectories, field.steps, field.noise)

    played = (field.rollouts(policy, goal, rng, 1) for policy in policies(tried))
    return [-float(np.square(steps.rewards).sum()) for steps in played]


def best_scratch(count: int) -> PolicyMAML:
    """The policy from scratch with the learning rate that is best on other goals."""

    def score(learner: PolicyMAML) -> float:
        drawn = goals(PAPER, VALIDATION, count)
        return fmean(returns(partial(stepping, learner), PAPER, goal, rng)[-1] for goal, rng in drawn)

    return max((scratch_of(lr) for lr in SCRATCH_LRS), key=score)


def scratch_of(lr: float) -> PolicyMAML:
    """A policy with fresh weights."""
    return policy_gradient(scratch(NAVIGATE[NAME].spec, lr, 1))


def policy_gradient(learner: object) -> PolicyMAML:
    """The same learner, whose type is known."""
    assert isinstance(learner, PolicyMAML)
    return learner


def table_of(count: int, starts: Path) -> Table:
    """The mean return of each policy before and after each step, over `count` goals."""
    reinforced = policy_gradient(checkpoint.load(ZOO / f"{NAME}.safetensors"))
    imitated = policy_gradient(checkpoint.load(starts / f"{NAME}-start.safetensors"))
    rows: dict[str, Callable[[Floats], Policies]] = {
        f"`{NAME}`, a gradient step each": lambda goal: partial(stepping, reinforced),
        f"`{NAME}`, an adapt each": lambda goal: partial(adapting, reinforced),
        "by imitation, a gradient step each": lambda goal: partial(stepping, imitated),
        "by imitation, an adapt each": lambda goal: partial(adapting, imitated),
    }
    learner = best_scratch(count)
    rows["from scratch, a gradient step each"] = lambda goal: partial(stepping, learner)
    rows["the best actions, goal known"] = lambda goal: partial(knowing, goal)
    header = ["policy", "before", *(f"after {n}" for n in ("one", "two", "three"))]
    return Table(header, [row(name, policies, count) for name, policies in rows.items()])


def row(name: str, policies: Callable[[Floats], Policies], count: int) -> list[str | Figure]:
    """The mean return before and after each step."""
    played = [returns(policies(goal), PAPER, goal, rng) for goal, rng in goals(PAPER, TEST, count)]
    return [name, *map(figure_of, zip(*played, strict=True))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goals", type=int, default=60)
    parser.add_argument("--starts", type=Path, default=Path("runs"), help="The folder of the models by imitation.")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with torch.no_grad():
        publish({"navigation-curve": table_of(given.goals, given.starts)})


if __name__ == "__main__":
    main()
