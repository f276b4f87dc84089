"""An arm that reaches for a goal that it does not see: Reacher of MuJoCo (Todorov, Erez, Tassa 2012), by Gymnasium.

A task is a goal, as in `navigation.py`: earlier steps with their rewards, and states with their best actions, of which
a learner sees none. The goal moves nothing, so the steps of one trajectory give rewards for any goal. Needs the
packages `gymnasium` and `mujoco` (`pip install 'handful[mujoco]'`), for training and measuring only.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.datasets.dataset import Dataset
from models.datasets.environment import Moved
from models.datasets.episode import EpisodeSampler, Shape
from models.datasets.navigation import Policy, Steps, inputs_of, queries_of
from models.learner import Episode, Kind, Support

Floats = NDArray[np.float64]
HORIZON, EXPLORATION = 50, 0.3
"""Steps of a trajectory, as in Reacher-v5. Standard deviation of the noise that a client adds to actions to explore."""
FARTHEST = 0.2
"""Goals are uniform in the disc of this radius around the shoulder."""
LINKS = (0.1, 0.11)
LENGTH, SPEED = 0.2, 10.0
"""What positions and rewards, and angular velocities, are divided by."""
STIFFNESS, DAMPING = 2.0, 0.2
"""Of the best actions: torque for an angle, and against an angular velocity."""
DISCOUNT = 0.9
"""Of rewards one step later, for the advantage of an action in training."""
TRAJECTORIES = 400
"""Trajectories that training draws steps from."""


class Arm:
    """The environment without a goal. A state is 8 numbers: cosines and sines of both joints, their angular velocities
    and the place of the fingertip."""

    def __init__(self) -> None:
        import gymnasium  # noqa: PLC0415 (only for this data)

        self.env: Any = gymnasium.make("Reacher-v5").unwrapped
        self.env.reset(seed=0)

    def start(self, rng: np.random.Generator) -> Floats:
        """The arm stretched out and at rest, nearly, as in Reacher-v5."""
        position, velocity = np.zeros(4), np.zeros(4)
        position[:2], velocity[:2] = rng.uniform(-0.1, 0.1, 2), rng.uniform(-0.005, 0.005, 2)
        self.env.set_state(position, velocity)
        return self.state()

    def step(self, action: Floats) -> Floats:
        """The state after an action, two torques from -1 to 1."""
        self.env.do_simulation(action, self.env.frame_skip)
        return self.state()

    def step_from(self, state: Floats, action: Floats) -> Floats:
        """The state after an action in any state (8,)."""
        position, velocity = np.zeros(4), np.zeros(4)
        position[:2], velocity[:2] = np.arctan2(state[2:4], state[:2]), SPEED * state[4:6]
        self.env.set_state(position, velocity)
        return self.step(action)

    def state(self) -> Floats:
        """The state (8,)."""
        angles, speeds = self.env.data.qpos[:2], self.env.data.qvel[:2]
        tip = self.env.get_body_com("fingertip")[:2]
        return np.concatenate([np.cos(angles), np.sin(angles), speeds / SPEED, tip / LENGTH])


@cache
def arm() -> Arm:
    """One arm for the process."""
    return Arm()


def rewards_of(after: Floats, actions: Floats, goal: Floats) -> Floats:
    """The rewards (...) of steps that end in states (..., 8): minus the distance to the goal, and a tenth of the
    squared torques."""
    far = np.linalg.norm(LENGTH * after[..., 6:] - goal, axis=-1)
    return np.asarray(-far - 0.1 * np.square(actions).sum(-1))


def rollouts(
    policy: Policy, goal: Floats, rng: np.random.Generator, count: int, steps: int = HORIZON, noise: float = 0.0
) -> Steps:
    """Trajectories of a policy, as in `navigation.py`. The rewards are in units of `LENGTH`, the returns are not."""
    found = [_trajectory(policy, rng, steps, noise) for _ in range(count)]
    states, actions, after = (np.concatenate(each) for each in zip(*found, strict=True))
    rewards = rewards_of(after, actions, goal)
    return Steps(states, actions, rewards / LENGTH, rewards.reshape(count, steps).sum(1))


def _trajectory(policy: Policy, rng: np.random.Generator, steps: int, noise: float) -> tuple[Floats, Floats, Floats]:
    """The states, the actions, and the states after them."""
    states, actions = [arm().start(rng)], []
    for _ in range(steps):
        chosen = policy(states[-1][None])[0] + noise * rng.normal(size=2)
        actions.append(np.clip(chosen, -1, 1))
        states.append(arm().step(actions[-1]))
    return np.array(states[:-1]), np.array(actions), np.array(states[1:])


def best(states: Floats, goal: Floats) -> Floats:
    """Actions (n, 2) that bring the fingertip to a goal (2,): a spring to the angles that reach it."""
    angles = np.arctan2(states[:, 2:4], states[:, :2])
    goals = np.broadcast_to(goal, angles.shape)
    turns = np.stack([reaching(goals, bend) for bend in (1.0, -1.0)]) - angles
    turns = (turns + np.pi) % (2 * np.pi) - np.pi
    nearer = np.abs(turns).sum(-1).argmin(0)
    turn = np.take_along_axis(turns, nearer[None, :, None], 0)[0]
    return np.asarray(np.clip(STIFFNESS * turn - DAMPING * SPEED * states[:, 4:6], -1, 1))


def reaching(goal: Floats, bend: float) -> Floats:
    """The angles of both joints, (..., 2), with which the fingertip is at the goal (..., 2); the elbow bends to one
    side."""
    upper, lower = LINKS
    x, y = goal[..., 0], goal[..., 1]
    cosine = (x**2 + y**2 - upper**2 - lower**2) / (2 * upper * lower)
    elbow = bend * np.arccos(np.clip(cosine, -1, 1))
    shoulder = np.arctan2(y, x) - np.arctan2(lower * np.sin(elbow), upper + lower * np.cos(elbow))
    return np.stack([shoulder, elbow], -1)


def goal_of(rng: np.random.Generator) -> Floats:
    """A goal, uniform in the disc."""
    angle, far = rng.uniform(-np.pi, np.pi), FARTHEST * np.sqrt(rng.uniform())
    return np.array([far * np.cos(angle), far * np.sin(angle)])


class Reaching(EpisodeSampler):
    """Tasks with steps of the noisy best policies of some guess of the goal, or of none. As an environment, it has
    goals of the disc."""

    noise, discount, horizon, actions = EXPLORATION, DISCOUNT, HORIZON, 2

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._walked = [_explored(rng) for _ in range(TRAJECTORIES)]

    def episode(self, rng: np.random.Generator, shape: Shape) -> Episode:
        """One goal: `shape.shots` steps of whole trajectories, and `shape.queries` states with their best actions."""
        chosen = [self._walked[i] for i in rng.permutation(TRAJECTORIES)[: 1 + shape.shots // HORIZON]]
        near = chosen[0][0] + rng.normal(size=2) * FARTHEST / 2
        goal = near if rng.random() < 0.5 and np.linalg.norm(near) < FARTHEST else goal_of(rng)
        states, actions, after = (np.concatenate(each) for each in zip(*(one[1:] for one in chosen), strict=True))
        first = slice(int(rng.integers(0, len(states) - shape.shots + 1)), None)
        walked = Steps(states[first], actions[first], rewards_of(after, actions, goal)[first] / LENGTH, np.zeros(0))
        places = rng.integers(0, TRAJECTORIES, shape.queries)
        asked = np.array([self._walked[i][1][rng.integers(0, HORIZON)] for i in places])
        arrays = inputs_of(walked), walked.actions, queries_of(asked), best(asked, goal)
        inputs, taken, queries, wanted = (torch.tensor(each, dtype=torch.float32) for each in arrays)
        k = shape.shots
        return Episode(Support(inputs[:k], taken[:k], torch.ones(k, dtype=torch.bool), ways=0), queries, wanted)

    def goals(self, rngs: Sequence[np.random.Generator]) -> Floats:
        """Goals (tasks, 2)."""
        return np.array([goal_of(rng) for rng in rngs])

    def starts(self, rngs: Sequence[np.random.Generator], count: int) -> Floats:
        """The arm stretched out and nearly at rest, (tasks, count, 8)."""
        return np.array([[arm().start(rng) for _ in range(count)] for rng in rngs])

    def step(self, states: Floats, chosen: Floats, goals: Floats) -> Moved:
        """One step of all arms. The rewards are in units of `LENGTH`."""
        actions = np.clip(chosen, -1, 1)
        pairs = zip(states.reshape(-1, 8), actions.reshape(-1, 2), strict=True)
        after = np.array([arm().step_from(*pair) for pair in pairs]).reshape(states.shape)
        rewards = rewards_of(after, actions, goals[:, None]) / LENGTH
        return Moved(after, actions, rewards, np.zeros(rewards.shape, bool))


def _explored(rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
    """The guess of a goal, and a trajectory towards it, or with noise only."""
    guess, knows = goal_of(rng), rng.random() < 0.6

    def policy(states: Floats) -> Floats:
        return best(states, guess) if knows else np.zeros((len(states), 2))

    return guess, *_trajectory(policy, rng, HORIZON, EXPLORATION)


def _open(path: Path | None, split: str, input: Mapping[str, Any]) -> Reaching:
    return Reaching()


REACHER = Dataset(
    name="reacher",
    kind=Kind.REGRESSION,
    input_type="vector",
    splits={"reacher": None},
    test_split="reacher",
    open=_open,
)
