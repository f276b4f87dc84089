"""Handful on Ray Serve beside Handful alone and plain Ray Serve: python -m benchmarks.on_ray [SERVICE ...]

Each service is started and driven alone, with both proxies of Ray. Writes into docs/performance.json after each
service, so that a run that is stopped keeps what it has measured. Ratios are those within one run.
"""

import argparse
from importlib.util import find_spec

from benchmarks.driving import Figures, Stage, console, drive, stage
from benchmarks.peers.network import PROTONET
from benchmarks.results import keep, read
from benchmarks.services import SERVICES, Service, running
from benchmarks.serving import Scene, first_answers, load_of

HAPROXY = {"RAY_SERVE_ENABLE_HA_PROXY": "1"}
HANDFUL_ON_RAY = Service("Handful on Ray Serve", "benchmarks.peers.handful_on_ray", needs="ray")
PLAIN = SERVICES["ray"]
BESIDE = {
    "handful": SERVICES["handful"],
    "handful-haproxy": HANDFUL_ON_RAY._replace(title="Handful on Ray Serve, HAProxy", variables=HAPROXY),
    "handful-python": HANDFUL_ON_RAY._replace(title="Handful on Ray Serve, Python proxy"),
    "plain-haproxy": PLAIN._replace(title="Ray Serve, HAProxy", variables=HAPROXY),
    "plain-python": PLAIN._replace(title="Ray Serve, Python proxy"),
}
SCENES = [Scene("predict", PROTONET, 1, clients) for clients in (1, 16)] + [Scene("adapt", PROTONET, 1, 16)]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="One of " + ", ".join(BESIDE))
    parser.add_argument("--seconds", type=float, default=3.0, help="Seconds of each scene.")
    given = parser.parse_args()
    if not find_spec("ray"):
        console.print("left out: Ray is not installed: pip install 'handful[bench]'")
        return
    with stage() as given_to_all:
        for name in given.services or BESIDE:
            console.print(BESIDE[name].title, style="bold")
            found = measured(BESIDE[name], given_to_all, given.seconds)
            keep(ray=read().get("ray", {}) | {name: found})


def measured(service: Service, given: Stage, seconds: float) -> dict[str, Figures]:
    """All scenes of one service."""
    figures = {}
    with running(service, *given) as one:
        first_answers(service, one)
        for scene in SCENES:
            each = drive(one, load_of(service, one, scene, seconds))
            figures[scene.title()] = {name: round(value, 2) for name, value in each.items()}
            console.print(f"  {scene.title()}: {each['per_cpu']:.0f} per processor-second, p50 {each['p50_ms']:.1f} ms")
    return figures


if __name__ == "__main__":
    main()
