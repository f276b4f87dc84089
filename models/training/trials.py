"""Trials: what clients of several tasks do, adapt by adapt.

A client explores around staying, because it has no policy before its first adapt. It adapts to these trajectories,
explores with the policy that it got, adapts to all trajectories so far, and so on.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.environment import Environment, Floats, Policies, Trajectories, walk
from models.datasets.episode import rng_of
from models.functional import adapt_many, predict_many
from models.learner import Learner, Support
from models.recipes.recipe import Trials


class Round(NamedTuple):
    """An adapt: the support set of each task, stacked, and trajectories of the policies after it that are judged."""

    known: Support
    done: Trajectories


class Tasks(NamedTuple):
    """Tasks of an environment: a goal and a generator of chance for each."""

    environment: Environment
    goals: Floats
    rngs: Sequence[np.random.Generator]

    def walk(self, policies: Policies, noise: float, count: int, steps: int) -> Trajectories:
        """Trajectories of policies, with noise of this deviation on their actions."""
        drawn = noise * np.stack([rng.normal(size=(count, steps, self.environment.actions)) for rng in self.rngs])
        return walk(self.environment, policies, self.goals, self.environment.starts(self.rngs, count), drawn)


@torch.no_grad()
def trial_of(
    learner: Learner, environment: Environment, trials: Trials, goals: Floats, rngs: Sequence[np.random.Generator]
) -> Iterator[Round]:
    """The rounds of one trial of a task for each goal, with chance from its generator."""
    tasks = Tasks(environment, goals, rngs)
    for known, policies in adapts_of(learner, tasks, trials):
        yield Round(known, tasks.walk(policies, trials.noise, *trials.judged))


@torch.no_grad()
def cost(learner: Learner, environment: Environment, trials: Trials, count: int, seed: int) -> float:
    """Minus the mean return of the policies without noise, after each adapt, over tasks that a seed draws."""
    rngs = [rng_of(seed, task) for task in range(count)]
    tasks = Tasks(environment, environment.goals(rngs), rngs)
    done = [tasks.walk(policies, 0.0, 1, environment.horizon) for _, policies in adapts_of(learner, tasks, trials)]
    return -float(np.mean([each.rewards.sum(-1).mean() for each in done]))


def adapts_of(learner: Learner, tasks: Tasks, trials: Trials) -> Iterator[tuple[Support, Policies]]:
    """The stacked support sets of each adapt of a trial, and the policies after it."""
    known, policies = None, policies_of(learner, None, tasks.environment.actions)
    for _ in range(trials.rounds):
        more = posted(tasks.walk(policies, tasks.environment.noise, trials.trajectories, trials.steps))
        known = joined(known, shuffled(more, tasks.rngs) if trials.shuffled else more)
        policies = policies_of(learner, known, tasks.environment.actions)
        yield known, policies


def policies_of(learner: Learner, known: Support | None, actions: int) -> Policies:
    """The policies after adapting to stacked support sets. Before the first adapt a client has none, and stays."""
    if known is None:
        return lambda states: np.zeros((*states.shape[:-1], actions))
    adapted = adapt_many(learner, known._replace(inputs=learner.encode(known.inputs)))

    def act(states: Floats) -> Floats:
        queries = learner.encode(queries_of(torch.from_numpy(states).float()))
        found: Floats = predict_many(learner, adapted, queries).double().numpy()
        return found

    return act


def queries_of(states: Tensor) -> Tensor:
    """Inputs (..., d + 1) that ask for actions in states (..., d)."""
    return torch.cat([states, torch.zeros_like(states[..., :1])], -1)


def posted(done: Trajectories) -> Support:
    """What the clients post of their trajectories: all steps, one trajectory after the other."""
    inputs = torch.cat([flat(done.states), flat(done.rewards).unsqueeze(-1)], -1)
    return Support(inputs, flat(done.actions), flat(done.real), ways=0)


def shuffled(support: Support, rngs: Sequence[np.random.Generator]) -> Support:
    """The same examples in an order that each task draws."""
    order = np.stack([rng.permutation(support.mask.shape[1]) for rng in rngs])
    tasks = np.arange(len(rngs))[:, None]
    inputs, targets, mask = (each[tasks, order] for each in support[:3])
    return Support(inputs, targets, mask, ways=0)


def joined(known: Support | None, more: Support) -> Support:
    """Stacked support sets, and more examples of each."""
    if known is None:
        return more
    inputs, targets, mask = (torch.cat(pair, 1) for pair in zip(known[:3], more[:3], strict=True))
    return Support(inputs, targets, mask, ways=0)


def flat(values: Floats | NDArray[np.bool_]) -> Tensor:
    """Numbers of trajectories (tasks, count, steps, ...) as a tensor (tasks, count * steps, ...)."""
    tensor = torch.from_numpy(values).flatten(1, 2)
    return tensor if tensor.dtype == torch.bool else tensor.float()
