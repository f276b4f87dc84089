"""Meta-training by reinforcement: proximal policy optimisation of the policies that clients get when they adapt.

The outer loop improves the policy after each adapt of a trial by its own new trajectories: Finn, Abbeel, Levine 2017,
arXiv:1703.03400, algorithm 3, with the clipped objective of Schulman et al. 2017, arXiv:1707.06347, in place of TRPO.
The gradient goes through `adapt`: by second derivatives for MAML, and back through the hidden states of all rounds
before for a recurrent policy (Duan et al. 2016, arXiv:1611.02779). What a client posted is taken as given, so that no
credit goes to actions for what they found out.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.datasets.environment import Environment, Trajectories
from models.learner import Learner, Support
from models.learners.policy_gradient import advantages_of
from models.recipes.recipe import Trials
from models.training.trials import flat, queries_of, trial_of

EPOCHS, CLIP = 3, 0.2
"""Updates by the same trajectories, and how far the density of an action may move (Schulman et al. 2017)."""


class Batch(NamedTuple):
    """Trajectories of adapted policies, each tensor after an axis of tasks.

    queries     (m, d + 1): the states
    chosen      (m, a): the actions with their noise
    densities   (m,): the logarithm of their density under the policy that chose them, up to a constant
    advantages  (m,): how much more than usual in such a state each was worth, in standard deviations
    real        (m,): False after the end of a trajectory
    """

    queries: Tensor
    chosen: Tensor
    densities: Tensor
    advantages: Tensor
    real: Tensor


def losses(
    learner: Learner, environment: Environment, trials: Trials, rngs: Sequence[np.random.Generator]
) -> Iterator[Tensor]:
    """The losses of a step: several epochs over the rounds of one trial of new tasks, a task from each generator.

    Each loss is computed when it is taken, with the weights of that time: the caller updates them before the next.
    """
    goals = environment.goals(rngs)
    rounds = [
        (known, batch_of(done, trials.noise, environment.discount), float(done.rewards[done.real].mean()))
        for known, done in trial_of(learner, environment, trials, goals, rngs)
    ]
    for _ in range(EPOCHS):
        for known, batch, reward in rounds:
            yield -reward - gain(learner, known, batch, trials.noise)


def gain(learner: Learner, known: Support, batch: Batch, noise: float) -> Tensor:
    """The mean objective of all tasks for the learner's present weights."""

    def of_task(inputs: Tensor, targets: Tensor, mask: Tensor, *done: Tensor) -> Tensor:
        queries, chosen, densities, advantages, real = done
        means = learner.answer(Support(inputs, targets, mask, ways=0), queries)
        return clipped_objective(density(chosen - means, noise) - densities, advantages, real)

    return torch.vmap(of_task)(*known[:3], *batch).mean()


def clipped_objective(change: Tensor, advantages: Tensor, real: Tensor) -> Tensor:
    """The objective of Schulman et al. 2017, equation 7.

    Args:
        change: How much the logarithm of the density of each action has changed, (m,).
        advantages: (m,).
        real: False for padding, (m,).
    """
    ratio = change.exp()
    gains = torch.minimum(ratio * advantages, ratio.clamp(1 - CLIP, 1 + CLIP) * advantages)
    return (gains * real).sum() / real.sum()


def density(misses: Tensor, noise: float) -> Tensor:
    """The logarithm of the density of actions that are so far from the policy's, (m, a) to (m,), up to a constant."""
    return -0.5 * (misses / noise).square().sum(-1)


def batch_of(done: Trajectories, noise: float, discount: float) -> Batch:
    """What the policies learn from trajectories with actions of this deviation."""
    states, chosen, missed, real = (flat(each) for each in (done.states, done.chosen, done.noise, done.real))
    inputs = torch.cat([states, flat(done.to_come(discount)).unsqueeze(-1)], -1)
    advantages = torch.vmap(lambda x, y, mask: advantages_of(Support(x, y, mask, ways=0)))(inputs, chosen, real)
    return Batch(queries_of(states), chosen, density(missed, noise), advantages, real)
