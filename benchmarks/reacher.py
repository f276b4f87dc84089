"""An arm that reaches for a goal: the return before and after adapting to a client's own trajectories.

pip install 'gymnasium[mujoco]'
handful train reach && python -m benchmarks.reacher --model runs/reach.safetensors        # minutes
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.figures import Table, figure_of, publish
from benchmarks.navigation import ADAPTS, TEST, Field, best_scratch, goals, policy_of, row
from models import checkpoint
from models.checkpoint import Spec
from models.datasets.reacher import EXPLORATION, HORIZON, best, goal_of, rollouts

ARM = Field(rollouts, goal_of, 1, HORIZON, EXPLORATION)
SCRATCH = Spec(
    "policy-gradient", "mlp", {"outputs": 2, "deviation": EXPLORATION}, {"inputs": 8, "widths": [64, 64]}
)  # fmt: skip


def table_of(model: Path, count: int) -> Table:
    """The mean return of each policy before and after each adapt, over `count` goals."""
    learners = {
        "`reach`": checkpoint.load(model),
        "policy gradient from scratch, same steps": best_scratch(SCRATCH, ARM, count),
    }
    rows = [row(name, partial(policy_of, learner), ARM, count) for name, learner in learners.items()]
    known = [rollouts(partial(best, goal=goal), goal, rng, 1).returns[0] for goal, rng in goals(ARM, TEST, count)]
    rows.append(["a controller that knows the goal", *[figure_of(known)] * (1 + ADAPTS)])
    return Table(["policy", "before", *(f"after {n}" for n in ("one adapt", "two", "three"))], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="The checkpoint that handful train reach wrote.")
    parser.add_argument("--goals", type=int, default=60)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with torch.no_grad():
        publish({"reacher": table_of(given.model, given.goals)})


if __name__ == "__main__":
    main()
