"""Latency below full load: python -m benchmarks.latency; writes into docs/performance.json.

Goals: at half of the rate of a closed loop of clients, with requests at random moments, p99 is under 4 times p50. With
adapts beside them, predicts have at most twice the p99 that they have alone.
"""

import argparse
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.driving import Figures, console, drive, drive_together, handful
from benchmarks.load import Load
from benchmarks.peers.network import MAML, SPECS
from benchmarks.results import keep
from benchmarks.services import SERVICES, Running
from benchmarks.serving import Scene, first_answers, load_of, summary

Summary = dict[str, float | None]

SERVICE = SERVICES["handful"]
CLIENTS = 16
HALF, QUARTER = 0.5, 0.25
"""Predicts and adapts beside each other have a quarter each, together half of the full load."""


class Round(NamedTuple):
    """One round: predicts alone, predicts beside adapts, and these adapts."""

    alone: Figures
    beside: Figures
    adapts: Figures


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="Seconds of each measurement.")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with handful() as (one, _):
        first_answers(SERVICE, one)
        half = {model: at_half_load(one, model, given.seconds, given.rounds) for model in SPECS}
        beside = beside_adapts(one, given.seconds, given.rounds)
    keep(latency={"half_load": half, "beside_adapts": beside})


def at_half_load(one: Running, model: str, seconds: float, rounds: int) -> Summary:
    """The median of each figure of predicts at half of the measured rate."""
    load = scene_load(one, "predict", model, seconds)
    most = drive(one, load)["rate"]
    half = replace(load, rate=HALF * most)
    figures = summary([drive(one, half) for _ in range(rounds)])
    console.print(f"{model} predicts at half of {most:.0f}/s: {figures}")
    return {"most": round(most, 2)} | figures


def beside_adapts(one: Running, seconds: float, rounds: int) -> dict[str, Summary]:
    """The median of each figure, alone and beside adapts. Both alternate, because the machine may change over time."""
    loads = (scene_load(one, call, MAML, seconds) for call in ("predict", "adapt"))
    predicts, adapts = (replace(load, rate=QUARTER * drive(one, load)["rate"]) for load in loads)
    found = [Round(*drive_together(one, predicts), *drive_together(one, predicts, adapts)) for _ in range(rounds)]
    figures = {name: summary([getattr(each, name) for each in found]) for name in Round._fields}
    console.print("MAML predicts:", figures)
    return figures


def scene_load(one: Running, call: str, model: str, seconds: float) -> Load:
    """Predicts of one query, or 5-way 1-shot adapts, in a closed loop. Adapts and predicts have different clients."""
    first = CLIENTS if call == "adapt" else 0
    return load_of(SERVICE, one, Scene(call, model, 1, CLIENTS), seconds, first)


if __name__ == "__main__":
    main()
