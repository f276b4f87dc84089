"""The latency of a tenant while another one floods a service with quotas, as in the operator's walk.

python -m benchmarks.watched; writes into docs/performance.json. The load is that of benchmarks.fairness. Each tenant
has the same quota; the flood is far over it and is answered 429. The goal: the p99 of predicts under twice, of adapts
under three times the quiet one.
"""

import argparse

from benchmarks.driving import console
from benchmarks.fairness import measure, two_tenants
from benchmarks.results import keep
from service.cards import Catalogue
from service.settings import ZOO

MODELS = ("glyphs", "glyphs-protonet", "glyphs-maml")
QUOTA = {"QUOTA_REQUESTS_PER_S": "30", "QUOTA_BURST": "60", "QUOTA_DEVICE_S_PER_MIN": "20"}
GOALS = {"predict": 2.0, "adapt": 3.0}


def main() -> None:
    """Measure, print and write after each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="Seconds of each of two measurements.")
    given = parser.parse_args()
    catalogue, found = Catalogue(ZOO), {}
    for model in MODELS:
        with two_tenants(**QUOTA, SERVE=model, DEFAULT_MODEL=model) as one:
            one.settle()
            found[model] = measure(one, catalogue[model], given.seconds)
        console.print(model, found[model])
        keep(watched=found)
    missed = [
        model for model, each in found.items() if any(each[f"{call}_ratio"] > goal for call, goal in GOALS.items())
    ]
    console.print("over the goals:", missed or "nothing")


if __name__ == "__main__":
    main()
