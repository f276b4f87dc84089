"""Adapts and predicts a second over batch sizes, the share of the arithmetic peak, and the memory at the peak."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.work import adapts, predicts
from service.cards import Card
from service.engine.device import Device

BATCHES = (1, 8, 64, 256)
SECONDS = 1.0
MATRIX = {"cuda": 8192, "cpu": 1024}
"""The side of the square matrices whose product is the arithmetic peak."""


def speed(device: Device, card: Card, name: str, jobs: int, best: float) -> dict[str, float]:
    """Figures of one model at one batch size. `best` is the peak in TFLOP/s."""
    works, asked = adapts(card, jobs), predicts(device, card, jobs, queries=1)
    flops = operations(lambda: device.adapt(works))
    if name.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(name)
    adapts_s, predicts_s = (
        rate(run, name) * jobs for run in (lambda: device.adapt(works), lambda: device.predict(asked))
    )
    reached = flops / jobs * adapts_s / 1e12
    figures = {"adapts_s": adapts_s, "predicts_s": predicts_s, "adapt_tflops": reached, "share_of_peak": reached / best}
    if name.startswith("cuda"):
        figures["peak_bytes"] = torch.cuda.max_memory_allocated(name)
    return {key: float(f"{value:.4g}") for key, value in figures.items()}


def peak(name: str, dtype: torch.dtype) -> float:
    """TFLOP/s of a large product."""
    side = MATRIX[name.partition(":")[0]]
    matrix = torch.rand(side, side, device=name).to(dtype)
    return 2 * side**3 * rate(lambda: matrix @ matrix, name) / 1e12


def operations(run: Callable[[], Any]) -> int:
    """Floating-point operations of the products and convolutions in a call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def rate(run: Callable[[], Any], name: str) -> float:
    """Calls per second, after two calls."""
    for _ in range(2):
        run()
    _wait(name)
    began, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - began < SECONDS:
        run()
        calls += 1
        _wait(name)
    return calls / (time.perf_counter() - began)


def _wait(name: str) -> None:
    if name.startswith("cuda"):
        torch.cuda.synchronize(name)
