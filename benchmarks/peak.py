"""The worker alone against the measured peak of the processor: python -m benchmarks.peak; writes into
docs/performance.json.

The peak is the best of a few large float32 products in one thread. The arithmetic of an adapt is that of its
convolutions and its head, as torch counts it, without norms and activations. Both use processor time.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.alone import adapts, become_worker, device, measure
from benchmarks.driving import console
from benchmarks.peers.network import MAML, SPECS, STEPS
from benchmarks.results import keep
from models import checkpoint
from service.engine.device import Device

MATRICES = (512, 1024, 2048)
WAYS, SHOTS, JOBS = 5, (1, 5), (1, 16)


class Batch(NamedTuple):
    """A batch of 5-way adapts."""

    model: str
    shots: int
    jobs: int

    def title(self) -> str:
        """As a key of the results."""
        return f"{self.model}, {WAYS}-way {self.shots}-shot, {self.jobs} at once"


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="Seconds of each figure.")
    given = parser.parse_args()
    become_worker("benchmarks.peak")
    with device() as one:
        before = peak(given.seconds)
        times = adapt_times(one, given.seconds)
        best = max(before, peak(given.seconds))
    console.print(f"peak: {best:.1f} GFLOP/s")
    keep(peak={"gflops": round(best, 1), "adapts": {each.title(): share(each, times[each], best) for each in times}})


def peak(seconds: float) -> float:
    """GFLOP/s of the best product."""
    torch.set_num_threads(1)
    return max(rate_of(run, seconds / len(MATRICES)) for run in products())


def products() -> Iterator[Callable[[], Tensor]]:
    """Products of square matrices, and a convolution, which uses another library and is faster on some processors."""
    for size in MATRICES:
        yield partial(torch.matmul, *torch.rand(2, size, size))
    images, filters = torch.rand(8, 64, 58, 58), torch.rand(64, 64, 3, 3)
    last = {"memory_format": torch.channels_last}
    yield partial(F.conv2d, images.contiguous(**last), filters.contiguous(**last))


def rate_of(run: Callable[[], Tensor], seconds: float) -> float:
    """GFLOP/s."""
    return flops(run) / measure(run, 1, seconds).cpu_us / 1e3


def adapt_times(one: Device, seconds: float) -> dict[Batch, float]:
    """Microseconds of processor time that an adapt takes in each batch."""
    times = {}
    for batch in track([Batch(*each) for each in product(SPECS, SHOTS, JOBS)], "Adapts"):
        works = adapts(batch.model, WAYS, batch.shots, batch.jobs)
        times[batch] = measure(partial(one.adapt, works), batch.jobs, seconds).cpu_us
    return times


def share(batch: Batch, cpu_us: float, best: float) -> dict[str, float]:
    """The arithmetic of an adapt, and the share of the peak that it reaches."""
    mflop = adapt_flops(batch.model, WAYS * batch.shots) / 1e6
    reached = mflop / cpu_us * 1e3
    return {"mflop": mflop, "cpu_us": cpu_us, "gflops": round(reached, 1), "share": round(reached / best, 3)}


def adapt_flops(model: str, images: int) -> int:
    """Operations of an adapt: features for prototypes; forward and backward in each inner step for MAML."""
    learner, inputs = checkpoint.build(SPECS[model]), torch.zeros(images, 1, 28, 28)
    encoder = learner.get_submodule("encoder")
    if model == MAML:
        head = learner.get_submodule("head")
        return STEPS * flops(lambda: head(encoder(inputs)).sum().backward())
    return flops(lambda: encoder(inputs))


def flops(run: Callable[[], object]) -> int:
    """Operations of the products and convolutions in a call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


if __name__ == "__main__":
    main()
