"""Environments for training by reinforcement: trajectories of many tasks at once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Policies = Callable[[Floats], Floats]
"""The actions (tasks, n, a) of each task's own policy for its states (tasks, n, d)."""


class Moved(NamedTuple):
    """What a step does: the states after it (..., d), the actions that were taken (..., a), within their limits, the
    rewards (...), and whether the trajectory ends there (...)."""

    states: Floats
    actions: Floats
    rewards: Floats
    over: NDArray[np.bool_]


@runtime_checkable
class Environment(Protocol):
    """Tasks with goals of g numbers, in which states have d and actions a numbers.

    noise      standard deviation of the noise that a client adds to actions to explore
    discount   what a reward one step later counts, for the advantage of an action
    horizon    steps of the trajectories that are judged
    actions    a
    """

    noise: float
    discount: float
    horizon: int
    actions: int

    def goals(self, rngs: Sequence[np.random.Generator]) -> Floats:
        """A goal from each generator, (tasks, g)."""
        ...

    def starts(self, rngs: Sequence[np.random.Generator], count: int) -> Floats:
        """First states of `count` trajectories of each task, (tasks, count, d)."""
        ...

    def step(self, states: Floats, chosen: Floats, goals: Floats) -> Moved:
        """One step from states (tasks, count, d) by actions (tasks, count, a), which may be beyond their limits."""
        ...


class Trajectories(NamedTuple):
    """Trajectories of several tasks, each number after the axes (tasks, count, steps).

    `chosen` are the actions with their `noise`, `actions` what was taken of them. Steps after the end are not `real`;
    their rewards are 0.
    """

    states: Floats
    chosen: Floats
    actions: Floats
    rewards: Floats
    real: NDArray[np.bool_]
    noise: Floats

    def to_come(self, discount: float) -> Floats:
        """The rewards from each step on, a reward one step later counting `discount`, (tasks, count, steps)."""
        found = np.zeros_like(self.rewards)
        total = np.zeros_like(self.rewards[..., 0])
        for step in reversed(range(self.rewards.shape[-1])):
            total = self.rewards[..., step] + discount * total
            found[..., step] = total
        return found


def walk(environment: Environment, policies: Policies, goals: Floats, starts: Floats, noise: Floats) -> Trajectories:
    """Trajectories of each task's policy, with noise (tasks, count, steps, a) added to its actions."""
    states, running = starts, np.ones(starts.shape[:2], bool)
    found = []
    for step in range(noise.shape[2]):
        chosen = policies(states) + noise[:, :, step]
        moved = environment.step(states, chosen, goals)
        found.append((states, chosen, moved.actions, moved.rewards * running, running, noise[:, :, step]))
        states, running = moved.states, running & ~moved.over
    return Trajectories(*(np.stack(each, 2) for each in zip(*found, strict=True)))
