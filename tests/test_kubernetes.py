"""The manifests of Kubernetes are valid, name settings that exist, and contain their pods as compose does."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.parent for path in FOLDER.glob("overlays/*/kustomization.yaml"))
OPERATORS = ("monitoring.coreos.com/", "ray.io/")
"""Their kinds have no schema in Kubernetes itself."""

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the manifests, and is not here")


@pytest.fixture(params=OVERLAYS, ids=lambda path: path.name)
def resources(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return built(request.param)


def built(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def pods(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in resources if each["kind"] in ("Deployment", "StatefulSet")]


def test_each_resource_is_valid(resources):
    for resource in resources:
        if not resource["apiVersion"].startswith(OPERATORS):
            kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_each_component_is_built_by_an_overlay_or_alone(tmp_path):
    for component in FOLDER.glob("components/*"):
        shutil.copytree(FOLDER, tmp_path / component.name)
        top = tmp_path / component.name / "kustomization.yaml"
        top.write_text(yaml.safe_dump({"resources": ["base"], "components": [f"components/{component.name}"]}))
        assert built(top.parent)


def test_every_setting_that_is_named_exists():
    named = {name for path in FOLDER.rglob("*.yaml") for name in re.findall(r"HANDFUL_[A-Z_]+", path.read_text())}
    assert named <= {f"HANDFUL_{name.upper()}" for name in Settings.model_fields}


def test_pods_run_without_root_and_containers_cannot_write(resources):
    for pod in pods(resources):
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert {"startupProbe", "livenessProbe"} <= container.keys()


def test_an_api_finishes_what_it_accepted_before_its_pod_is_killed():
    [deployment] = [each for each in built(FOLDER / "base") if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 5 + Settings().deadline_s


def test_redis_is_configured_as_in_compose():
    assert (FOLDER / "components/redis/redis.conf").read_text() == (ROOT / "docker/redis.conf").read_text()
