"""The memory of the device: what a job takes of it, and what to do when none is left."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from service.errors import TooCostly

CPU_MESSAGE = "can't allocate memory"
"""How torch reports it on the CPU, where it raises no exception of its own."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device, or the machine, had no memory left."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or CPU_MESSAGE in str(error)


def refusal(error: Exception) -> Exception:
    """The error for a job that failed alone. A job that does not fit into memory is refused, and its memory freed."""
    if not is_out_of_memory(error):
        return error
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
    return TooCostly(
        "The job does not fit into the memory of the device, not even alone. Send fewer examples or inputs, or use "
        "another model."
    )


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The most memory that tensors took at a time while `run` ran, beside those that were there before."""
    if device.type == "cuda":
        return _peak_of_allocator(run, device)
    memory = PeakMemory()
    with memory:
        run()
    return memory.peak


def _peak_of_allocator(run: Callable[[], object], device: torch.device) -> int:
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    return int(torch.cuda.max_memory_allocated(device) - before)


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that operations make: torch has no such statistics for the CPU.

    It does not see what a native kernel takes and gives back within one operation.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count its results."""
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, Tensor):
                self._count(result.untyped_storage())
        return results

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._alive:
            self._alive.add(key)
            self._now += size
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self._now -= size
