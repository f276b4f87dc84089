"""The torch device that learners run on: copies to it, the precision there, its clock and its memory."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.encoders.precision import encoding
from models.learner import Learner, State
from service.arrays import TEXT, Array, Arrays
from service.engine.grouping import to_tensor


class Placement:
    """A torch device, by its name, and the precision of what runs there, as in the settings."""

    def __init__(self, device: str, precision: str) -> None:
        self.device, self._precision = torch.device(device), precision

    def copied(self, tensor: Tensor) -> Tensor:
        """Copy to the device; from pinned memory where that lets the copy run beside the computation."""
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def tensor(self, array: Array) -> Tensor:
        """Copy an array to the device. On the CPU it is shared if torch may write to it."""
        return self.copied(to_tensor(array))

    def state(self, state: Arrays) -> State:
        """Copy a state to the device, as of `tensor`."""
        return {name: self.tensor(each) for name, each in state.items()}

    def inputs(self, inputs: Array) -> Any:
        """Inputs as learners take them: pixels of 0 to 255 as 0 to 1, texts as a list, numbers as they are."""
        if inputs.dtype == TEXT:
            return inputs.tolist()
        moved = self.tensor(inputs)
        return moved.float() / 255 if moved.dtype is torch.uint8 else moved

    def autocast(self) -> torch.autocast:
        """The precision of adapts and predicts."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._precision == "bfloat16")

    def encoding(self, learner: Learner) -> torch.autocast:
        """The precision of a learner's encoder."""
        if self._precision == "auto":
            return encoding(getattr(learner, "encoder", None), self.device)
        return self.autocast()

    def clock(self) -> Callable[[], float]:
        """The seconds of this thread's work: on the CPU those of the processor, in which others on the machine do not
        count."""
        return time.thread_time if self.device.type == "cpu" else time.perf_counter

    def memory_bytes(self) -> int:
        """Memory that torch has reserved on an accelerator; 0 on the CPU."""
        return torch.accelerator.memory_reserved(self.device) if self.device.type != "cpu" else 0
