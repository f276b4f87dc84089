"""One step of a small training. Writes the gradients to a file. Run by test_processes.py."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.training import distributed
from tests.models.learners import TABLE
from tests.models.trainings import Blobs, Training


def main(folder: Path, name: str) -> None:
    torch.set_num_threads(1)
    with distributed.joined("cpu"):
        run = Training(TABLE[name], tasks=4).run(folder)
        next(run.train(Blobs(), None, every=100))
        gradients = {name: value.grad for name, value in run.learner.named_parameters() if value.grad is not None}
        save_file(gradients, folder / f"gradients-{distributed.rank()}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
