"""handful evaluate --seeds: how much a score depends on the seed of the training."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from service.cards import Figure
from service.commands.evaluate import Setting, measure

STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""The 97.5 % quantiles of Student's t distribution with 1, 2, ... degrees of freedom, one less than the trainings."""


def evaluate_seeds(
    setting: Setting, data: Path | None, models: Path, seeds: int, *, device: str, threads: int, as_json: bool
) -> None:
    """Measure the trainings of one recipe in `models`/seed-0, seed-1, ... on the same episodes, and print.

    Raises ValueError when one of them is missing.
    """
    torch.set_num_threads(threads)
    trainings = [models / f"seed-{seed}" / f"{setting.model}.safetensors" for seed in range(seeds)]
    for seed, weights in enumerate(trainings):
        if not weights.is_file():
            raise ValueError(
                f"--seeds {seeds}: {weights} is missing: "
                f"run handful train {setting.model} --seed {seed} --out {weights.parent}"
            )
    by_training = [measure(setting, weights, data, device) for weights in trainings]
    rows = [each for each in zip(*by_training, strict=True) if each[0].metric != "calibration_error"]
    if as_json:
        scores = {row[0].metric: [one.mean for one in row] for row in rows}
        spreads = {row[0].metric: {"mean": mean, "ci95": half} for row in rows for mean, half in [over(row)]}
        about: dict[str, Any] = setting._asdict() | {"setting": setting.title()}
        print(json.dumps(about | {"by_training": scores, "over_trainings": spreads}, indent=2))
        return
    Console().print(_table(setting, rows))


def over(figures: Sequence[Figure]) -> tuple[float, float]:
    """The mean over trainings, and the half width of its 95 % interval by Student's t."""
    means = [each.mean for each in figures]
    return fmean(means), STUDENT[len(means) - 2] * stdev(means) / math.sqrt(len(means))


def _table(setting: Setting, rows: Sequence[Sequence[Figure]]) -> Table:
    """Each training with its interval over episodes, and the mean with its interval over trainings."""
    table = Table("", *(row[0].metric for row in rows), title=f"{setting.model}, {setting.title()}")
    for seed in range(len(rows[0])):
        table.add_row(f"seed {seed}", *(row[seed].value() for row in rows))
    table.add_section()
    table.add_row("over trainings", *(f"{mean:.4f} ± {half:.4f}" for mean, half in map(over, rows)))
    return table
