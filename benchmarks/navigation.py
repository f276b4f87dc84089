"""2-D navigation: the return before and after adapting to a client's own trajectories.

python -m benchmarks.navigation        # minutes
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import fmean, stdev

import numpy as np
import torch

from benchmarks.methods import table
from models import checkpoint
from models.datasets.navigation import (
    EXPLORATION,
    FARTHEST,
    Floats,
    Policy,
    Steps,
    best,
    inputs_of,
    queries_of,
    rollouts,
)
from models.learner import Learner, Support, full_mask
from models.recipes.navigate import NAVIGATE
from service.settings import ZOO

ADAPTS, TRAJECTORIES, STEPS = 3, 4, 10
"""How often a client adapts, each time to so many new trajectories of so many steps with noise, beside those before."""
SCRATCH_LR, SCRATCH_STEPS = 0.001, 3
"""Of training a policy from nothing with the policy gradient on the same trajectories."""


def zero(states: Floats) -> Floats:
    """The policy without any knowledge: it stays."""
    return np.zeros_like(states)


def policy_of(learner: Learner, known: Steps | None) -> Policy:
    """The policy of a model that has adapted to steps."""
    if known is None:
        return zero
    inputs, actions = (torch.tensor(each, dtype=torch.float32) for each in (inputs_of(known), known.actions))
    state = learner.adapt(learner.encode_support(Support(inputs, actions, full_mask(actions), ways=0)))

    def act(states: Floats) -> Floats:
        query = learner.encode(torch.tensor(queries_of(states), dtype=torch.float32))
        found: Floats = learner.predict(state, query)[:, :2].double().numpy()
        return found

    return act


def joined(steps: Steps | None, more: Steps) -> Steps:
    """Steps and more of them."""
    return more if steps is None else Steps(*(np.concatenate(pair) for pair in zip(steps, more, strict=True)))


def returns(learn: Callable[[Steps | None], Policy], goal: Floats, rng: np.random.Generator) -> Iterator[float]:
    """The return of the policy without noise, before and after each adapt. Each adapt is to the policy's own steps."""
    known, policy = None, learn(None)
    yield float(rollouts(policy, goal, rng, 1).returns[0])
    for _ in range(ADAPTS):
        known = joined(known, rollouts(policy, goal, rng, TRAJECTORIES, STEPS, EXPLORATION))
        policy = learn(known)
        yield float(rollouts(policy, goal, rng, 1).returns[0])


def scratch() -> Learner:
    """A policy with fresh weights that learns by many steps of the policy gradient."""
    torch.manual_seed(0)
    spec = NAVIGATE["navigate-maml"].spec
    options = spec.learner_options | {"inner_lr": SCRATCH_LR, "inner_steps": SCRATCH_STEPS}
    return checkpoint.build(replace(spec, learner_options=options)).eval().requires_grad_(False)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--goals", type=int, default=100)
    count = parser.parse_args().goals
    torch.set_num_threads(1)
    learners = {f"`{name}`": checkpoint.load(ZOO / f"{name}.safetensors") for name in NAVIGATE}
    learners["policy gradient from scratch"] = scratch()
    rows = [row(name, partial(policy_of, learner), count) for name, learner in learners.items()]
    goals = [np.random.default_rng([1, i]).uniform(-FARTHEST, FARTHEST, 2) for i in range(count)]
    known = [
        float(rollouts(lambda s, g=goal: best(s, g), goal, np.random.default_rng(0), 1).returns[0]) for goal in goals
    ]
    rows.append(["the best actions, goal known", cell(known), "", "", ""])
    print(table(["policy", "before", *(f"after {n}" for n in ("one adapt", "two", "three"))], rows))


def row(name: str, learn: Callable[[Steps | None], Policy], count: int) -> list[str]:
    """The mean return before and after each adapt."""
    played = []
    for i in range(count):
        rng = np.random.default_rng([1, i])
        played.append(list(returns(learn, rng.uniform(-FARTHEST, FARTHEST, 2), rng)))
    return [name, *map(cell, zip(*played, strict=True))]


def cell(values: list[float]) -> str:
    """The mean and its 95 % interval."""
    return f"{fmean(values):.2f} ± {1.96 * stdev(values) / math.sqrt(len(values)):.2f}"


if __name__ == "__main__":
    with torch.no_grad():
        main()
