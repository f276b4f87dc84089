"""An arm that reaches for a goal: the return before and after adapting to a client's own trajectories.

pip install 'handful[mujoco]'
handful train reach && handful train reach-ppo
python -m benchmarks.reacher --folder runs        # minutes
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.figures import Table, figure_of, publish
from benchmarks.navigation import ADAPTS, TEST, Field, goals, measured, scratch_row
from models import checkpoint
from models.checkpoint import Spec
from models.datasets.reacher import EXPLORATION, HORIZON, best, goal_of, rollouts
from service.settings import ZOO

ARM = Field(rollouts, goal_of, 1, HORIZON, EXPLORATION)
SCRATCH = Spec(
    "policy-gradient", "mlp", {"outputs": 2, "deviation": EXPLORATION}, {"inputs": 8, "widths": [64, 64]}
)  # fmt: skip


def table_of(folder: Path, count: int, command: str | None = None) -> Table:
    """The mean return of each policy before and after each adapt, over `count` goals. A command goes on the card."""
    rows = measured({"reach": checkpoint.load(ZOO / "reach.safetensors")}, ARM, count, command)
    rows += measured({"reach-ppo": checkpoint.load(folder / "reach-ppo.safetensors")}, ARM, count, None)
    rows.append(scratch_row(SCRATCH, ARM, count))
    known = [rollouts(partial(best, goal=goal), goal, rng, 1).returns[0] for goal, rng in goals(ARM, TEST, count)]
    rows.append(["a controller that knows the goal", *[figure_of(known)] * (1 + ADAPTS)])
    return Table(["policy", "before", *(f"after {n}" for n in ("one adapt", "two", "three"))], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of docs/applications.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="The folder of `reach-ppo`.")
    parser.add_argument("--goals", type=int, default=60)
    parser.add_argument("--record", action="store_true", help="Write the returns into the card.")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    command = f"python -m benchmarks.reacher --goals {given.goals}" if given.record else None
    with torch.no_grad():
        publish({"reacher": table_of(given.folder, given.goals, command)})


if __name__ == "__main__":
    main()
