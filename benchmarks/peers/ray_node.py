"""A Ray node on loopback that serves one application."""

import argparse
import time
from typing import Any

import ray
from ray import serve

CPUS = 2


def run(application: Any, given: argparse.Namespace) -> None:
    """Serve until a signal ends the process."""
    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    serve.start(http_options={"host": "127.0.0.1", "port": given.port})
    serve.run(application, logging_config={"enable_access_log": False})
    while True:
        time.sleep(60)
