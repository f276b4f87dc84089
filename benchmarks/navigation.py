"""2-D navigation: the return before and after adapting to a client's own trajectories.

handful train navigate-maml-start && handful train navigate-rl2-start
python -m benchmarks.navigation --starts runs        # minutes
"""

import argparse
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.figures import Figure, Table, figure_of, publish
from benchmarks.policy_cards import record
from models import checkpoint
from models.checkpoint import Spec
from models.datasets.navigation import (
    EXPLORATION,
    FARTHEST,
    Floats,
    Navigation,
    Policy,
    Steps,
    best,
    inputs_of,
    queries_of,
    rollouts,
)
from models.learner import Learner, State, Support, full_mask
from models.recipes.navigate import IMITATION, NAVIGATE
from models.training.meta_training import Run
from service.settings import ZOO

ADAPTS, TRAJECTORIES, STEPS = 3, 4, 10
"""How often a client adapts, each time to so many new trajectories of so many steps with noise, beside those before."""
SCRATCH_LRS, SCRATCH_STEPS = (0.0001, 0.001, 0.01), (3, 30)
"""Of training from nothing with the policy gradient on the same trajectories. The best on other goals counts."""
TEST, VALIDATION = 1, 2
"""Seeds of goals."""

Learn = Callable[[Steps | None], Policy]
"""The policy that has adapted to steps; to none at first."""


class Field(NamedTuple):
    """Where policies act: how they act there, how a goal is drawn, and what a client brings to each adapt."""

    rollouts: Callable[..., Steps]
    goal_of: Callable[[np.random.Generator], Floats]
    trajectories: int
    steps: int
    noise: float


def goal_of(rng: np.random.Generator) -> Floats:
    """A goal of the plane."""
    return rng.uniform(-FARTHEST, FARTHEST, 2)


PLANE = Field(rollouts, goal_of, TRAJECTORIES, STEPS, EXPLORATION)


def zero(states: Floats) -> Floats:
    """The policy without any knowledge: it stays."""
    return np.zeros((len(states), 2))


def policy_of(learner: Learner, known: Steps | None) -> Policy:
    """The policy of a model that has adapted to steps."""
    return zero if known is None else acting(learner, learner.adapt(learner.encode_support(support_of(known))))


def support_of(known: Steps) -> Support:
    """Steps as a support set."""
    inputs, actions = (torch.tensor(each, dtype=torch.float32) for each in (inputs_of(known), known.actions))
    return Support(inputs, actions, full_mask(actions), ways=0)


def acting(learner: Learner, state: State) -> Policy:
    """The policy of a state."""

    def act(states: Floats) -> Floats:
        query = learner.encode(torch.tensor(queries_of(states), dtype=torch.float32))
        found: Floats = learner.predict(state, query)[:, :2].double().numpy()
        return found

    return act


def joined(steps: Steps | None, more: Steps) -> Steps:
    """Steps and more of them."""
    return more if steps is None else Steps(*(np.concatenate(pair) for pair in zip(steps, more, strict=True)))


def returns(learn: Learn, field: Field, goal: Floats, rng: np.random.Generator) -> Iterator[float]:
    """The return of the policy without noise, before and after each adapt. Each adapt is to the policy's own steps."""
    known, policy = None, learn(None)
    yield float(field.rollouts(policy, goal, rng, 1).returns[0])
    for _ in range(ADAPTS):
        known = joined(known, field.rollouts(policy, goal, rng, field.trajectories, field.steps, field.noise))
        policy = learn(known)
        yield float(field.rollouts(policy, goal, rng, 1).returns[0])


def scratch(spec: Spec, lr: float, steps: int) -> Learner:
    """A policy with fresh weights that learns by the policy gradient. Its last layer is zero: it stays at first."""
    torch.manual_seed(0)
    options = spec.learner_options | {"inner_lr": lr, "inner_steps": steps}
    learner = checkpoint.build(replace(spec, learner_options=options)).eval().requires_grad_(False)
    for weight in learner.get_submodule("head").parameters():
        weight.zero_()
    return learner


def average(steps: int) -> Policy:
    """One policy for all goals: the same network, trained on the same tasks without any adaptation."""
    recipe = IMITATION["navigate-maml-start"]
    spec = replace(recipe.spec, learner_options=recipe.spec.learner_options | {"inner_steps": 0})
    with TemporaryDirectory() as folder, torch.enable_grad():
        run = Run(replace(recipe, spec=spec, steps=steps), Path(folder), "average")
        deque(run.train(Navigation(), None, every=steps), maxlen=0)
    return policy_of(run.learner.eval(), rollouts(zero, np.zeros(2), np.random.default_rng(0), 1, 1))


def learners_of(starts: Path) -> dict[str, Learner]:
    """The models that ship, by reinforcement, and those that they start from, by imitation, in a folder."""
    paths = {name: ZOO / f"{name}.safetensors" for name in NAVIGATE}
    paths |= {name: starts / f"{name}.safetensors" for name in IMITATION}
    return {name: checkpoint.load(path) for name, path in paths.items()}


def measured(
    learners: Mapping[str, Learner], field: Field, count: int, command: str | None
) -> list[list[str | Figure]]:
    """A row for each model. With a command that measures them, those that ship get figures on their cards."""
    rows = []
    for name, learner in learners.items():
        found = played(partial(policy_of, learner), field, TEST, count)
        rows.append(row(f"`{name}`, by imitation" if name.endswith("-start") else f"`{name}`", found))
        if command and not name.endswith("-start"):
            record(name, found, command)
    return rows


def table_of(count: int, steps: int, starts: Path, command: str | None = None) -> Table:
    """The mean return of each policy before and after each adapt.

    Args:
        count: Number of goals.
        steps: Outer steps of the policy for all goals.
        starts: The folder of the models by imitation.
        command: For the cards; None: leave them as they are.
    """
    rows = measured(learners_of(starts), PLANE, count, command)
    rows.append(scratch_row(NAVIGATE["navigate-maml"].spec, PLANE, count))
    found, everywhere = [], average(steps)
    for goal, rng in goals(PLANE, TEST, count):
        known = rollouts(partial(best, goal=goal), goal, rng, 1).returns[0]
        found.append((float(rollouts(everywhere, goal, rng, 1).returns[0]), float(known)))
    one, known = map(figure_of, zip(*found, strict=True))
    rows += [["one policy for all goals, not adapted", *[one] * (1 + ADAPTS)]]
    rows += [["the best actions, goal known", *[known] * (1 + ADAPTS)]]
    return Table(["policy", "before", *(f"after {n}" for n in ("one adapt", "two", "three"))], rows)


def scratch_row(spec: Spec, field: Field, count: int) -> list[str | Figure]:
    """The row of the policy from scratch."""
    learner = best_scratch(spec, field, count)
    return row("policy gradient from scratch, same steps", played(partial(policy_of, learner), field, TEST, count))


def best_scratch(spec: Spec, field: Field, count: int) -> Learner:
    """The policy from scratch with the rate and the number of steps that are best on other goals."""
    tried = [scratch(spec, lr, steps) for lr, steps in product(SCRATCH_LRS, SCRATCH_STEPS)]

    def score(learner: Learner) -> float:
        return fmean(after[-1] for after in played(partial(policy_of, learner), field, VALIDATION, count))

    return max(tried, key=score)


def goals(field: Field, seed: int, count: int) -> Iterator[tuple[Floats, np.random.Generator]]:
    """Goals, each with the generator of its noise."""
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        yield field.goal_of(rng), rng


def played(learn: Learn, field: Field, seed: int, count: int) -> list[list[float]]:
    """The returns of each goal before and after each adapt."""
    return [list(returns(learn, field, goal, rng)) for goal, rng in goals(field, seed, count)]


def row(name: str, returned: Sequence[Sequence[float]]) -> list[str | Figure]:
    """The mean return before and after each adapt."""
    return [name, *map(figure_of, zip(*returned, strict=True))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--goals", type=int, default=60)
    parser.add_argument("--steps", type=int, default=600, help="Training steps of the policy for all goals.")
    parser.add_argument("--starts", type=Path, default=Path("runs"), help="The folder of the models by imitation.")
    parser.add_argument("--record", action="store_true", help="Write the returns into the cards.")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    command = f"python -m benchmarks.navigation --goals {given.goals}" if given.record else None
    with torch.no_grad():
        publish({"navigation": table_of(given.goals, given.steps, given.starts, command)})


if __name__ == "__main__":
    main()
