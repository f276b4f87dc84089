"""The parts of docs/performance.md about texts and photos."""

from collections.abc import Mapping
from typing import Any

from benchmarks.encoder_serving import LIMITS, SERVICES, TITLES
from benchmarks.methods import table

Found = Mapping[str, Mapping[str, Mapping[str, Any]]]


def rates(found: Found) -> str:
    """Requests per second of processor time, of every scene, and the limit."""
    names = [*SERVICES, *LIMITS]
    rows = [[scene, *(_number(by.get(name, {}).get("per_cpu")) for name in names)] for scene, by in found.items()]
    return table(["", *(TITLES[name] for name in names)], rows)


def ratios(found: Found) -> str:
    """Handful's rate as a share of the limit, and as a multiple of those of the peers."""
    header = ["", "share of the limit", "in bfloat16", "times by hand", "in bfloat16", "times LitServe", "in bfloat16"]
    pairs = [
        ("handful", "limit"), ("handful-bfloat16", "limit-bfloat16"), ("handful", "by-hand"),
        ("handful-bfloat16", "by-hand"), ("handful", "lit"), ("handful-bfloat16", "lit"),
    ]  # fmt: skip
    rows = []
    for scene, by in found.items():
        values = [_ratio(by, *pair) for pair in pairs]
        shares = ["" if value is None else f"{value:.0%}" for value in values[:2]]
        rows.append([scene, *shares, *("" if value is None else f"{value:.1f}" for value in values[2:])])
    return table(header, rows)


def precision(found: Mapping[str, Mapping[str, float]]) -> str:
    """What bfloat16 changes."""
    header = ["setting", "queries", "other top answers", "largest change of a probability", "99 % of the queries"]
    header += ["accuracy, float32", "bfloat16"]
    rows = [
        [
            setting, f"{one['queries']:.0f}", f"{one['flips']:.0f}", f"{one['largest']:.3f}", f"under {one['p99']:.3f}",
            f"{100 * one['accuracy_float32']:.2f}", f"{100 * one['accuracy_bfloat16']:.2f}",
        ]
        for setting, one in found.items()
    ]  # fmt: skip
    return table(header, rows)


def memory_formats(found: Mapping[str, float]) -> str:
    """Milliseconds of processor time a photo."""
    return table(
        ["memory format and precision", "ms a photo"], [[name, f"{value:.1f}"] for name, value in found.items()]
    )


def _ratio(by: Mapping[str, Mapping[str, Any]], own: str, other: str) -> float | None:
    ours, theirs = (by.get(name, {}).get("per_cpu") for name in (own, other))
    return ours / theirs if ours and theirs else None


def _number(value: float | None) -> str:
    return "" if not value else f"{value:.0f}" if value >= 10 else f"{value:.2g}"
