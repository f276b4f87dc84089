"""The tables and the picture of docs/streams.md."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.methods import ROOT, table
from benchmarks.streams.steps import STREAMS

PAGE, PICTURE = ROOT / "docs/streams.md", ROOT / "docs/streams.png"

Found = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""By stream and memory: a result for each seed."""


def now(result: Mapping[str, Any]) -> float:
    """The mean accuracy on what was taught last, after the second step and later."""
    return float(np.mean(result["now"][1:]))


def so_far(result: Mapping[str, Any]) -> float:
    """The accuracy on all steps, at the end."""
    return float(np.mean(result["so_far"][-1]))


def forgotten(result: Mapping[str, Any]) -> float:
    """How much accuracy a step has lost at the end since it was taught, as a mean over all steps but the last."""
    return float(
        np.mean([then[-1] - end for then, end in zip(result["so_far"], result["so_far"][-1], strict=True)][:-1])
    )


def report(stream: str, found: Mapping[str, Found]) -> str:
    """A table of one stream."""
    rows = []
    for name, streams in found.items():
        for memory, results in streams[stream].items():
            figures = [_interval([each(result) for result in results]) for each in (now, so_far, forgotten)]
            milliseconds = f"{1000 * np.median([result['seconds'] for result in results]):.0f}"
            rows.append([name, memory, *figures, str(round(np.mean([r["examples"] for r in results]))), milliseconds])
    head = ["data", "memory", "taught last", "all so far, at the end", "forgotten", "examples at the end", "ms"]
    return table(head, rows)


def _interval(values: Sequence[float]) -> str:
    """A mean in %, with the 95 % interval over the seeds (Student's t)."""
    half = 2.776 * np.std(values, ddof=1) / np.sqrt(len(values))  # 4 degrees of freedom
    return f"{100 * np.mean(values):.1f} ± {100 * half:.1f}"


def draw(found: Mapping[str, Found]) -> None:
    """Accuracy over time: on all steps so far for new classes, on the last step for the others."""
    picture = Figure(figsize=(12, 7), layout="constrained")
    for row, (name, streams) in zip(picture.subplots(len(found), len(STREAMS)), found.items(), strict=True):
        for axes, (stream, memories) in zip(row, streams.items(), strict=True):
            for memory, results in memories.items():
                curves = [
                    [np.mean(each) for each in result["so_far"]] if stream == "new classes" else result["now"]
                    for result in results
                ]
                mean = 100 * np.mean(curves, 0)
                style = {"linewidth": 2.0} if memory.startswith("`") else {"linewidth": 1.0, "linestyle": "--"}
                axes.plot(np.arange(len(mean)) + 1, mean, label=memory.replace("`", ""), **style)
            what = "all so far" if stream == "new classes" else "taught last"
            axes.set(title=f"{name}, {stream}", xlabel="step", ylabel=f"accuracy on {what}, %")
    axes.legend(fontsize="small")
    picture.savefig(PICTURE, dpi=100)
