"""One Ray node on loopback that serves deploy/ray_serve.yaml: python -m tests.deploy.node PORT FOLDER OPTIONS

OPTIONS is a JSON file. What it holds replaces options of the deployment, at the start and again at each SIGHUP.
"""

import argparse
import json
import signal
from pathlib import Path

import ray
import yaml
from ray import serve
from ray.serve._private.api import serve_start
from ray.serve.schema import ServeDeploySchema

CONFIG = Path(__file__).parents[2] / "deploy" / "ray_serve.yaml"
CPUS = 2
"""One for each replica. Ray starts as many processes in advance."""
OBJECTS_BYTES = 100 * 2**20
"""Shared memory of Ray. Handful puts nothing into it, and containers have little."""


def config(port: int, options: Path) -> ServeDeploySchema:
    """The file, with another port and other options."""
    content = yaml.safe_load(CONFIG.read_text())
    content["http_options"]["port"] = port
    [handful] = content["applications"][0]["deployments"]
    handful |= json.loads(options.read_text())
    if handful["num_replicas"] != "auto":
        del handful["autoscaling_config"]
    return ServeDeploySchema.model_validate(content)


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("folder", help="For Ray; a short path, because it has sockets in it.")
    parser.add_argument("options", type=Path)
    given = parser.parse_args()
    ray.init(num_cpus=CPUS, include_dashboard=False, object_store_memory=OBJECTS_BYTES, _temp_dir=given.folder)
    client = serve_start(http_options=config(given.port, given.options).http_options.model_dump())

    def deploy(*_: object) -> None:
        client.deploy_apps(config(given.port, given.options))

    signal.signal(signal.SIGHUP, deploy)
    deploy()
    try:
        while True:
            signal.pause()
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
