"""The service on Ray Serve: one node on loopback with two replicas."""

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import psutil

from tests.chaos.parts import REPLICAS, Parts, Start, parts
from tests.e2e.server import free_port, runs

Proxy = Literal["python", "haproxy"]
PATIENCE_S = 240
"""Seconds for a proxy to start. By default a busy machine is too slow."""


class RayParts(Parts):
    """All parts, where a replica is an actor of Ray and its worker is a child of the actor."""

    options = Path()

    def deploy(self, options: Mapping[str, Any]) -> None:
        """Deploy again, with other options of the deployment."""
        self.options.write_text(json.dumps(options))
        for one in self.serve.family()[:1]:
            one.send_signal(signal.SIGHUP)

    def supervisor(self) -> list[psutil.Process]:
        """The controller of Ray Serve."""
        return [one for one in self.serve.family() if runs(one, "ServeController")]

    def apis(self) -> list[psutil.Process]:
        """The replicas."""
        return [one for one in self.serve.family() if runs(one, "ServeReplica")]

    def forkservers(self) -> list[psutil.Process]:
        """The forkservers of the workers."""
        children = [child for one in self.apis() for child in one.children()]
        return [one for one in children if runs(one, "multiprocessing.forkserver")]


@asynccontextmanager
async def ray_parts(
    folder: Path,
    volume: Path,
    proxy: Proxy = "python",
    options: Mapping[str, Any] = MappingProxyType({"num_replicas": int(REPLICAS)}),
    **settings: str,
) -> AsyncIterator[RayParts]:
    """Run Redis and a node of Ray, until ready.

    Args:
        folder: The folder of their logs.
        volume: The folder of the file of Redis.
        proxy: The proxy of Ray Serve.
        options: Those of the deployment.
        settings: More settings of the service.
    """
    port, file = free_port(), folder / "options.json"
    session = Path(f"/tmp/handful-ray-{port}")  # a short path, because Ray has sockets in it
    file.write_text(json.dumps(dict(options)))
    command = [sys.executable, "-m", "tests.deploy.node", str(port), str(session), str(file)]
    start = Start(RayParts, port, command, environment(proxy), PATIENCE_S)
    try:
        async with parts(folder, volume, start, **settings) as running:
            running.options = file
            yield running
    finally:
        shutil.rmtree(session, ignore_errors=True)


def environment(proxy: Proxy) -> dict[str, str]:
    """The variables of Ray. HAProxy has two more ports."""
    common = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # by default, Ray gives way to all else
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": str(PATIENCE_S),
        "RAY_SERVE_SESSION_ID_HEADER_KEY": "x-client-id",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    if proxy == "python":
        return common
    return common | {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": "hdr(x-client-id)",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
        "RAY_SERVE_HAPROXY_STARTUP_TIMEOUT_S": str(PATIENCE_S),
    }
