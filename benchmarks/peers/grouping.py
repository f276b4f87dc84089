"""Group the jobs of a batch that run together."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any


def grouped(jobs: list[Any], key: Callable[[Any], Any], run: Callable[[str, list[Any]], list[Any]]) -> list[Any]:
    """Run jobs of one model and shape together; the results in the order of the jobs."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, job in enumerate(jobs):
        groups[key(job)].append(index)
    results: list[Any] = [None] * len(jobs)
    for (model, _), members in groups.items():
        for index, result in zip(members, run(model, [jobs[i] for i in members]), strict=True):
            results[index] = result
    return results
