"""What the benchmark of tables writes: figures for cards, and a table for a page."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from service.cards import Figure

COMMAND = "python -m benchmarks.tables --data tables"
Scores = Mapping[str, float]
Results = Mapping[str, Mapping[int, Sequence[Scores]]]
"""The scores of each method, by the number of rows. The first method is our own."""
NAMES = {"accuracy": "accuracy", "log_loss": "log-loss", "r2": "R2", "mse": "MSE"}


def figures(found: Sequence[Scores], count: int, digest: str) -> list[Figure]:
    """For the card: means over tables and draws, with their intervals."""
    return [
        Figure(setting=f"{count} rows", metric=metric, mean=fmean(values), ci95=interval(values), episodes=len(values),
               command=COMMAND, checkpoint=digest)
        for metric in found[0]
        for values in [[one[metric] for one in found]]
    ]  # fmt: skip


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean."""
    return float(1.96 * stdev(values) / len(values) ** 0.5)


def table(results: Results) -> str:
    """A row for each number of rows: each metric of all methods, and the gain over the better of the others."""
    own, *others = results
    metrics = list(next(iter(results[own].values()))[0])
    titles = [title for metric in metrics for title in (f"{NAMES[metric]}: {' / '.join(results)}", "gain")]
    lines = [["rows", *titles], ["---"] * (1 + len(titles))]
    for count in results[own]:
        lines.append(
            [str(count), *(cell for metric in metrics for cell in _cells(results, own, others, metric, count))]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(results: Results, own: str, others: Sequence[str], metric: str, count: int) -> list[str]:
    values = {name: [one[metric] for one in results[name][count]] for name in results}
    sign = -1 if metric in ("log_loss", "mse") else 1
    rival = max(others, key=lambda name: sign * fmean(values[name]))
    gains = [sign * (mine - theirs) for mine, theirs in zip(values[own], values[rival], strict=True)]
    means = " / ".join(f"{fmean(each):.3f}" for each in values.values())
    return [means, f"{fmean(gains):+.3f} ± {interval(gains):.3f}"]
