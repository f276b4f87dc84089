"""The tables of docs/operations.md about long runs and many clients: python -m benchmarks.report_long"""

from pathlib import Path
from typing import Any

from benchmarks.methods import filled, table
from benchmarks.results import read

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
CALLS = ("predict", "adapt")
SIZES = ("api_mb", "worker_mb", "redis_mb")


def main() -> None:
    """Write the tables that there are results for."""
    found, parts = read(), {}
    if "soak" in found:
        parts["soak"] = soak(found["soak"]["slices"])
    if "redis_growth" in found:
        parts["redis-growth"] = growth(found["redis_growth"])
    PAGE.write_text(filled(PAGE.read_text(), parts))


def soak(slices: list[dict[str, Any]]) -> str:
    """The slices: latencies, requests that failed, memory."""
    rows = [
        [str(number), row["killed"], *(f"{row[f'{call}_p50_ms']:.0f}, {row[f'{call}_p99_ms']:.0f}" for call in CALLS),
         f"{sum(row[f'{call}_failures'] for call in CALLS):.0f}", *(f"{row[name]:.0f}" for name in SIZES)]
        for number, row in enumerate(slices, start=1)
    ]  # fmt: skip
    header = ["slice", "killed before", "predict p50, p99, ms", "adapt p50, p99, ms", "failed", "API, MB", "worker, MB"]
    return table([*header, "Redis, MB"], rows)


def growth(found: dict[str, dict[str, float]]) -> str:
    """Microseconds of Redis by call and number of clients."""
    sizes = list(found)
    rows = [[call, *(f"{found[size][call]:.0f}" for size in sizes)] for call in found[sizes[0]]]
    return table(["microseconds of Redis", *(f"{int(size):,} clients" for size in sizes)], rows)


if __name__ == "__main__":
    main()
