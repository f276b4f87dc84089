"""The manifests of Kubernetes are valid, name settings that exist, and contain their pods as compose does."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from service.settings import Settings
from tests.kuberay_schema import RAY_SERVICE

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


@pytest.fixture(scope="module")
def ray_service() -> dict[str, Any]:
    [service] = [each for each in built(FOLDER / "overlays/kuberay") if each["kind"] == "RayService"]
    return service


def test_the_ray_service_has_the_fields_of_kuberay_and_valid_pods(ray_service):
    jsonschema.validate(ray_service, RAY_SERVICE)
    cluster = ray_service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "handful"}, "spec": group["template"]["spec"]}
        kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_ray_accepts_the_application_of_the_ray_service_which_is_that_of_the_file(ray_service):
    schema = pytest.importorskip("ray.serve.schema", reason="Ray is not installed: pip install 'handful[ray]'")
    config = schema.ServeDeploySchema.model_validate(yaml.safe_load(ray_service["spec"]["serveConfigV2"]))
    own = schema.ServeDeploySchema.model_validate(yaml.safe_load((ROOT / "deploy/ray_serve.yaml").read_text()))
    [here], [there] = config.applications, own.applications
    assert (here.name, here.import_path, here.route_prefix) == (there.name, there.import_path, there.route_prefix)
    assert here.deployments[0].name == there.deployments[0].name


def test_each_replica_of_the_ray_service_has_a_pod_to_come_to(ray_service):
    spec = ray_service["spec"]
    [application] = yaml.safe_load(spec["serveConfigV2"])["applications"]
    [deployment] = application["deployments"]
    [workers] = spec["rayClusterConfig"]["workerGroupSpecs"]
    scaling = deployment["autoscaling_config"]
    assert spec["rayClusterConfig"]["enableInTreeAutoscaling"]
    assert scaling["min_replicas"] < scaling["max_replicas"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (workers["minReplicas"], workers["maxReplicas"])
    assert workers["rayStartParams"]["num-cpus"] == str(deployment["ray_actor_options"]["num_cpus"])
    assert spec["rayClusterConfig"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_only_the_pod_of_the_autoscaler_has_a_token(ray_service):
    cluster = ray_service["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert [group["template"]["spec"]["automountServiceAccountToken"] for group in groups] == [True, False]
