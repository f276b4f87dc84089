"""A short form of `make chaos`: few faults, briefly."""

import asyncio
import shutil
from pathlib import Path

from service.settings import ZOO
from tests.chaos.faults import FAULTS
from tests.chaos.suite import MODELS, run

SHORT = {
    "all workers killed",
    "API killed",
    "Redis killed",
    "network to Redis cut",
    "states damaged and worker killed",
    "garbage",
    "half bodies",
}
HOLD_S = 1


def small_zoo(folder: Path) -> Path:
    folder.mkdir()
    for model in MODELS:
        for kind in ("json", "safetensors"):
            shutil.copy(ZOO / f"{model}.{kind}", folder)
    return folder


def test_after_every_fault_no_client_is_lost_and_no_answer_is_wrong(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    faults = [fault for fault in FAULTS if fault.name in SHORT]
    tally, outcomes = asyncio.run(run(faults, small_zoo(tmp_path / "zoo"), tmp_path, volume, HOLD_S))
    assert {outcome.fault.name for outcome in outcomes} == SHORT
    assert (tally.lost, tally.wrong, tally.violations) == ([], [], [])
    assert tally.answers["200"] > 0
