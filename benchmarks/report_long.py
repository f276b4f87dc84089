"""The tables of docs/operations.md about long runs and many clients: python -m benchmarks.report_long"""

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.methods import filled, table
from benchmarks.results import read

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
CALLS = ("predict", "adapt")
SIZES = ("api_mb", "worker_mb", "redis_mb")
TOGETHER, EACH_MINUTE = 20, 2
"""Slices of a row of the table, and of a minute."""


def main() -> None:
    """Write the tables that there are results for."""
    found, parts = read(), {}
    if "soak" in found:
        parts["soak"] = soak(found["soak"]["slices"])
    if "redis_growth" in found:
        parts["redis-growth"] = growth(found["redis_growth"])
    PAGE.write_text(filled(PAGE.read_text(), parts))


def soak(slices: list[dict[str, Any]]) -> str:
    """Each ten minutes: latencies as medians over the slices without and with a kill, failed requests, memory at the
    end."""
    rows = []
    for start in range(0, len(slices), TOGETHER):
        some = slices[start : start + TOGETHER]
        quiet, disturbed = ([row for row in some if bool(row["killed"]) is killed] for killed in (False, True))
        failed = f"{sum(row[f'{call}_failures'] for row in some for call in CALLS):.0f}"
        memory = [f"{some[-1][name]:.0f}" for name in SIZES]
        rows.append([minutes(start, len(some)), *latencies(quiet), *latencies(disturbed), failed, *memory])
    calls = [f"{call} p50, p99, ms" for call in CALLS]
    killed, sizes = [f"{call}, killed" for call in calls], ["API, MB", "worker, MB", "Redis, MB"]
    return table(["minutes", *calls, *killed, "failed", *sizes], rows)


def minutes(start: int, count: int) -> str:
    """The first and the last minute of slices."""
    return f"{start / EACH_MINUTE:.0f} to {(start + count) / EACH_MINUTE:.0f}"


def latencies(slices: list[dict[str, Any]]) -> list[str]:
    """Medians of p50 and p99 of each call."""
    if not slices:
        return ["-"] * len(CALLS)
    quantiles = {name: median(row[name] for row in slices) for call in CALLS for name in _names(call)}
    return [", ".join(f"{quantiles[name]:.0f}" for name in _names(call)) for call in CALLS]


def _names(call: str) -> tuple[str, str]:
    return f"{call}_p50_ms", f"{call}_p99_ms"


def growth(found: dict[str, dict[str, float]]) -> str:
    """Microseconds of Redis by call and number of clients."""
    sizes = list(found)
    rows = [[call, *(f"{found[size][call]:.0f}" for size in sizes)] for call in found[sizes[0]]]
    return table(["microseconds of Redis", *(f"{int(size):,} clients" for size in sizes)], rows)


if __name__ == "__main__":
    main()
