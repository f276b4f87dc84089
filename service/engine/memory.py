"""What to do when the device has no memory left."""

import torch

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
