"""2-D navigation (Finn et al. 2017, arXiv:1703.03400, section 5.3.1): a point moves to a goal that it does not know.

A task is a goal. Its support set are steps of earlier trajectories: the input is the state and the reward of the step,
the target is the action that was taken. The queries are states, and their targets the best actions, of which a learner
sees none (guided meta-policy search: Mendonca et al. 2019, arXiv:1904.00956).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.dataset import Dataset
from models.datasets.environment import Moved
from models.datasets.episode import EpisodeSampler, Shape
from models.learner import Episode, Kind, Support

Floats = NDArray[np.float64]
Policy = Callable[[Floats], Floats]
"""Actions (n, 2) for states (n, 2)."""

FARTHEST, LONGEST, NEAR = 0.5, 0.1, 0.01
"""The goal is uniform from -0.5 to 0.5 in both directions. A step is at most 0.1 in each. Nearer than 0.01 in both is
there."""
HORIZON = 100
EXPLORATION = 0.1
"""Standard deviation of the noise that a client adds to actions to explore."""
DISCOUNT = 0.9
"""What a reward counts for one step later, in the worth of an action that training learns from."""
WIDEST = 0.8
"""The states of training queries."""


class Steps(NamedTuple):
    """Steps of trajectories: states (n, 2), actions (n, 2) and rewards (n,). `returns` are the sums of rewards, one for
    each trajectory."""

    states: Floats
    actions: Floats
    rewards: Floats
    returns: Floats


def best(states: Floats, goal: Floats) -> Floats:
    """The best actions."""
    return np.clip(goal - states, -LONGEST, LONGEST)


def move(states: Floats, chosen: Floats, goals: Floats) -> Moved:
    """Steps from states (..., 2) by actions (..., 2). The reward is minus the distance to the goal after the step."""
    actions = np.clip(chosen, -LONGEST, LONGEST)
    after = states + actions
    near = np.abs(after - goals) < NEAR
    return Moved(after, actions, -np.linalg.norm(after - goals, axis=-1), np.asarray(near.all(-1)))


def rollouts(
    policy: Policy, goal: Floats, rng: np.random.Generator, count: int, steps: int = HORIZON, noise: float = 0.0
) -> Steps:
    """Trajectories of a policy from the origin. The reward of a step is minus the distance to the goal after it.

    Args:
        policy: The policy.
        goal: The goal (2,).
        rng: For the noise.
        count: Number of trajectories.
        steps: Most steps of each; it ends at the goal.
        noise: Standard deviation of the noise of the actions.
    """
    places, running, returns = np.zeros((count, 2)), np.ones(count, bool), np.zeros(count)
    found: list[tuple[Floats, Floats, Floats]] = []
    for _ in range(steps):
        states = places[running]
        moved = move(states, policy(states) + noise * rng.normal(size=states.shape), goal)
        places[running] = moved.states
        returns[running] += moved.rewards
        found.append((states, moved.actions, moved.rewards))
        running[running] = ~moved.over
        if not running.any():
            break
    states, actions, rewards = (np.concatenate(each) for each in zip(*found, strict=True))
    return Steps(states, actions, rewards, returns)


def inputs_of(steps: Steps) -> Floats:
    """The inputs (n, 3) of a support set."""
    return np.hstack([steps.states, steps.rewards[:, None]])


def queries_of(states: Floats) -> Floats:
    """The inputs (n, 3) that ask for actions: their reward is not known and 0."""
    return np.hstack([states, np.zeros((len(states), 1))])


class Navigation(EpisodeSampler):
    """Tasks with steps of policies that know the goal more or less: of the first adapt, and of later ones. It is also
    the environment of these goals."""

    noise, discount, horizon, actions = EXPLORATION, DISCOUNT, HORIZON, 2

    def goals(self, rngs: Sequence[np.random.Generator]) -> Floats:
        """Goals (tasks, 2)."""
        return np.array([rng.uniform(-FARTHEST, FARTHEST, 2) for rng in rngs])

    def starts(self, rngs: Sequence[np.random.Generator], count: int) -> Floats:
        """The origin, (tasks, count, 2)."""
        return np.zeros((len(rngs), count, 2))

    def step(self, states: Floats, chosen: Floats, goals: Floats) -> Moved:
        """One step of all trajectories."""
        return move(states, chosen, goals[:, None])

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """One goal: `shape.shots` steps to learn from, and `shape.queries` states with their best actions."""
        goal = rng.uniform(-FARTHEST, FARTHEST, 2)
        walked = self._explored(rng, goal, shape.shots)
        states = rng.uniform(-WIDEST, WIDEST, (shape.queries, 2))
        arrays = inputs_of(walked), walked.actions, queries_of(states), best(states, goal)
        inputs, actions, asked, wanted = (torch.tensor(each[: len(each)], dtype=torch.float32) for each in arrays)
        k = shape.shots
        support = Support(inputs[:k], actions[:k], torch.ones(k, dtype=torch.bool), ways=0)
        return Episode(support, asked, wanted)

    def _explored(self, rng: np.random.Generator, goal: Floats, count: int) -> Steps:
        """Steps of trajectories towards a guess of the goal, which is nothing or wrong to some degree."""
        guess = rng.uniform() * goal + rng.uniform() * rng.uniform(-FARTHEST, FARTHEST, 2)
        towards = best if rng.uniform() < 0.5 else _nowhere
        length = int(rng.integers(5, 25))
        trajectories = -(-count // length) + count  # those that reach the goal are short
        walked = rollouts(lambda states: towards(states, guess), goal, rng, trajectories, length, EXPLORATION)
        chosen = rng.permutation(len(walked.rewards))[:count]
        return Steps(walked.states[chosen], walked.actions[chosen], walked.rewards[chosen], walked.returns)


def _nowhere(states: Floats, goal: Floats) -> Floats:
    return np.zeros_like(states)


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Navigation:
    return Navigation()


NAVIGATION = Dataset(
    name="navigation",
    kind=Kind.REGRESSION,
    input_type="vector",
    splits={"navigation": None},
    test_split="navigation",
    open=_open,
)
