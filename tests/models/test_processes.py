"""Training by several processes, started by torchrun: the gradients are those of one."""

import os
import subprocess
import sys
from pathlib import Path
from socket import if_nameindex

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from tests.models.learners import TABLE
from tests.models.one_step import main
from tests.models.trainings import Training

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
LOOPBACK = os.environ | {"GLOO_SOCKET_IFNAME": next(name for _, name in if_nameindex() if name.startswith("lo"))}


def one_step_by_two(folder: Path, name: str) -> None:
    command = [*TORCHRUN, "-m", "tests.models.one_step", str(folder), name]
    done = subprocess.run(command, check=False, env=LOOPBACK, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["maml", "protonet-stride-group"])
def test_two_processes_compute_the_gradients_of_one_process(name, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    main(alone, name)
    one_step_by_two(together, name)
    expected = load_file(alone / "gradients-0.safetensors")
    assert any(gradient.abs().max() > 1e-4 for gradient in expected.values())
    for rank in (0, 1):
        assert_close(load_file(together / f"gradients-{rank}.safetensors"), expected, rtol=1e-4, atol=1e-6)


def test_only_the_first_process_writes(tmp_path):
    one_step_by_two(tmp_path, "maml")
    assert {path.name for path in tmp_path.iterdir() if "gradients" not in path.name} == {"test.resume.safetensors"}


def test_tasks_that_the_processes_cannot_share_evenly_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("models.training.meta_training.processes", lambda: 2)
    with pytest.raises(ValueError, match="3 tasks a step cannot be shared by 2 processes"):
        Training(TABLE["maml"], tasks=3).run(tmp_path)
