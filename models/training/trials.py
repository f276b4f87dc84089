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


@torch.no_grad()
def trial_of(
    learner: Learner, environment: Environment, trials: Trials, goals: Floats, rngs: Sequence[np.random.Generator]
) -> Iterator[Round]:
    """The rounds of one trial of a task for each goal, with chance from its generator."""
    known = None

    def walked(noise: float, count: int, steps: int) -> Trajectories:
        drawn = noise * np.stack([rng.normal(size=(count, steps, environment.actions)) for rng in rngs])
        policies = policies_of(learner, known, environment.actions)
        return walk(environment, policies, goals, environment.starts(rngs, count), drawn)

    for _ in range(trials.rounds):
        more = posted(walked(environment.noise, trials.trajectories, trials.steps))
        known = joined(known, shuffled(more, rngs) if trials.shuffled else more)
        yield Round(known, walked(trials.noise, *trials.judged))


@torch.no_grad()
def cost(learner: Learner, environment: Environment, trials: Trials, tasks: int, seed: int) -> float:
    """Minus the mean return of the policies without noise, after each adapt, over tasks that a seed draws."""
    rngs = [rng_of(seed, task) for task in range(tasks)]
    goals = environment.goals(rngs)
    noise = np.zeros((tasks, 1, environment.horizon, environment.actions))
    returns = []
    for known, _ in trial_of(learner, environment, trials, goals, rngs):
        policies = policies_of(learner, known, environment.actions)
        done = walk(environment, policies, goals, environment.starts(rngs, 1), noise)
        returns.append(done.rewards.sum(-1).mean())
    return -float(np.mean(returns))


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
