"""The service on Ray Serve: one node on loopback, with both proxies, under the load of the chaos suite."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handful[ray]'")

from tests.chaos.faults import on_ray
from tests.chaos.ray_parts import PATIENCE_S, Proxy, RayParts, ray_parts
from tests.chaos.suite import MODELS, Suite, clients_of
from tests.chaos.tally import Tally
from tests.chaos.test_chaos import small_zoo

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
AUTOSCALING = {
    "min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 0.01, "upscale_delay_s": 0,
    "look_back_period_s": 1,
}  # fmt: skip
SENSITIVE = {"health_check_period_s": 1, "health_check_timeout_s": 5}
OPTIONS = {"num_replicas": "auto", "autoscaling_config": AUTOSCALING} | SENSITIVE
FEWER = OPTIONS | {"autoscaling_config": AUTOSCALING | {"max_replicas": 1}}


def test_ray_accepts_the_file_for_serve_deploy_and_it_names_the_deployment(tmp_path):
    program = """
import yaml
from deploy.ray_serve import app
from ray.serve.schema import ServeDeploySchema
config = ServeDeploySchema.model_validate(yaml.safe_load(open("deploy/ray_serve.yaml")))
[application] = config.applications
[deployment] = application.deployments
assert application.import_path == "deploy.ray_serve:app"
assert deployment.name == app._bound_deployment.name
assert deployment.autoscaling_config["min_replicas"] < deployment.autoscaling_config["max_replicas"]
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_replica_is_killed_under_load_and_nothing_is_lost(tmp_path, capsys):
    tally = asyncio.run(lose_a_replica(tmp_path, "haproxy"))
    with capsys.disabled():
        print(f"\nhaproxy: {tally.operations} operations, {dict(tally.answers)}")
    assert (tally.lost, tally.wrong, tally.violations) == ([], [], [])


@pytest.mark.ray
@pytest.mark.parametrize("proxy", get_args(Proxy))
def test_replicas_come_die_and_go_under_load_and_nothing_is_lost(tmp_path, proxy, capsys):
    tally = asyncio.run(come_die_and_go(tmp_path, proxy))
    with capsys.disabled():
        print(f"\n{proxy}: {tally.operations} operations, {dict(tally.answers)}")
    assert (tally.lost, tally.wrong, tally.violations) == ([], [], [])


@asynccontextmanager
async def under_load(folder: Path, proxy: Proxy, options: Mapping[str, Any]) -> AsyncIterator[tuple[RayParts, Suite]]:
    """A node of Ray, and the load of the chaos suite on it."""
    (volume := folder / "volume").mkdir()
    models = small_zoo(folder / "zoo")
    settings = {"models": str(models), "default_model": MODELS[0], "deadline_s": "5"}
    started = ray_parts(folder, volume, proxy, options, **settings)
    async with started as running, Suite(running, clients_of(models), hold_s=1).under_load() as suite:
        yield running, suite


async def lose_a_replica(folder: Path, proxy: Proxy) -> Tally:
    async with under_load(folder, proxy, {"num_replicas": 2}) as (running, suite):
        await strike(suite, running, "one API killed")
        return suite.load.tally


async def come_die_and_go(folder: Path, proxy: Proxy) -> Tally:
    async with under_load(folder, proxy, OPTIONS) as (running, suite):
        tally = suite.load.tally
        await until(lambda: len(running.workers()) == 2, "the load has started no second replica")
        for name in ("one worker killed", "one API killed"):
            await strike(suite, running, name)
        if proxy == "python":
            await replace_stuck(running)
        before, tally.during = tally.answers.copy(), "drained"
        running.deploy(FEWER)
        await until(lambda: len(running.apis()) == 1, "the second replica has not ended")
        assert set(tally.answers - before) == {"200"}, "a request has failed while a replica was drained"
    return tally


async def strike(suite: Suite, running: RayParts, name: str) -> None:
    """Cause a fault, and wait until all processes are there again."""
    [fault] = [one for one in on_ray() if one.name == name]
    apis, workers = running.apis(), running.workers()
    await suite.suffer(fault)
    await until(lambda: len(running.workers()) == 2, f"{name}: the worker is not back")
    ended = [sum(not one.is_running() for one in some) for some in (apis, workers)]
    assert any(ended), "the fault has hit nothing"
    if name == "one API killed":
        assert ended[0] == ended[1], "a worker has outlived its replica"


async def replace_stuck(running: RayParts) -> None:
    """Stop a worker. Its replica fails the health checks, and Ray replaces it."""
    [stuck, *_] = running.workers()
    replica = next(one for one in running.apis() if stuck in one.children(recursive=True))
    stuck.suspend()
    await until(lambda: not replica.is_running(), "a replica with a stuck worker is not replaced")
    stuck.kill()  # a suspended process does not notice that its replica is gone
    await until(lambda: len(running.workers()) == 2, "no new replica")


async def until(true: Callable[[], bool], otherwise: str) -> None:
    """Wait. A process may end while it is looked at."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            if true():
                return
        await asyncio.sleep(0.1)
    raise AssertionError(otherwise)
