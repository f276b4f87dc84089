"""What tracing costs: python -m benchmarks.tracing

Handful with OpenTelemetry not installed, installed and off, and on, in turns. Prints the processor time of a request
as a ratio to the first, for predicts of one small drawing. `--keep` writes into docs/performance.json.
"""

import argparse
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.driving import Stage, console, drive, stage
from benchmarks.latency import scene_load
from benchmarks.results import keep
from benchmarks.services import SERVICES, Running, running
from benchmarks.serving import first_answers

HANDFUL = SERVICES["handful"]
NOT_INSTALLED, OFF, ON = "not installed", "off", "on"
MODEL = "protonet"
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""
"""A sitecustomize.py that hides the packages of the extra. FastAPI itself needs the API of OpenTelemetry."""


class Sink(BaseHTTPRequestHandler):
    """A collector that takes spans and forgets them."""

    def do_POST(self) -> None:
        """Called by the server."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="Seconds of each measurement.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="Write into docs/performance.json.")
    given = parser.parse_args()
    with TemporaryDirectory() as folder, stage() as given_stage, variants(given_stage, Path(folder)) as services:
        found = ratios(services, given.seconds, given.rounds)
    for name, each in found.items():
        middle, spread = median(each), f"{min(each):.2f} to {max(each):.2f}"
        console.print(f"OpenTelemetry {name}: {middle:.2f} times the processor time ({spread})")
    if given.keep:
        keep(tracing={name: round(median(each), 3) for name, each in found.items()})


@contextmanager
def variants(given: Stage, folder: Path) -> Iterator[dict[str, Running]]:
    """The three services, side by side. They share a Redis."""
    (folder / "sitecustomize.py").write_text(HIDE)
    with ExitStack() as stack:
        collector = HTTPServer(("127.0.0.1", 0), Sink)
        stack.callback(collector.server_close)
        stack.callback(collector.shutdown)
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        variables = {
            NOT_INSTALLED: {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
            OFF: {},
            ON: {
                "HANDFUL_TRACING": "true",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            },
        }
        services = {
            name: stack.enter_context(running(HANDFUL._replace(variables=each), *given))
            for name, each in variables.items()
        }
        first_answers(HANDFUL, services[OFF])
        yield services


def ratios(services: dict[str, Running], seconds: float, rounds: int) -> dict[str, list[float]]:
    """The processor time of a request to each service, in times of that to the first, for each round."""
    found: dict[str, list[float]] = {name: [] for name in services}
    for _ in range(rounds):
        costs = {name: _cost(one, seconds) for name, one in services.items()}
        for name, cost in costs.items():
            found[name].append(cost / costs[NOT_INSTALLED])
    return found


def _cost(one: Running, seconds: float) -> float:
    """Seconds of processor time of a request."""
    return 1 / drive(one, scene_load(one, "predict", MODEL, seconds))["per_cpu"]


if __name__ == "__main__":
    main()
