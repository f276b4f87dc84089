"""The deployment files agree with the code and with each other. Needs no Docker."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from service.metrics import exposition
from service.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE = [ROOT / "docker-compose.yml", *sorted(ROOT.glob("docker/compose.*.yml"))]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"^FROM \S+ AS (\w+)$(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
PINS = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


class Loader(yaml.SafeLoader):
    """Ignores the tags of Compose."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)


def services(path: Path) -> dict[str, dict]:
    return yaml.load(path.read_text(), Loader)["services"]


NGINX = (ROOT / "docker/nginx.conf").read_text()
BASE = services(COMPOSE[0])
ALL = {f"{path.name}: {name}": service for path in COMPOSE for name, service in services(path).items()}
DASHBOARD = json.loads((ROOT / "docker/grafana/dashboards/handful.json").read_text())
ALERTS = yaml.safe_load((ROOT / "docker/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
QUERIES = {panel["title"]: " ".join(target["expr"] for target in panel["targets"]) for panel in DASHBOARD["panels"]}
WHOLE = {name: service for name, service in ALL.items() if "image" in service and "gpu" not in name}
over_whole = pytest.mark.parametrize("service", WHOLE.values(), ids=WHOLE)


def test_every_setting_named_by_compose_or_image_exists():
    text = "".join(path.read_text() for path in (ROOT / "Dockerfile", *COMPOSE))
    named = {name.lower() for name in re.findall(r"^\s*(?:ENV )?HANDFUL_(\w+)[:=]", text, re.MULTILINE)}
    assert "redis_url" in named
    assert named <= set(Settings.model_fields)


def test_every_setting_has_a_description():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@over_whole
def test_a_container_is_read_only_has_no_capabilities_and_is_restarted(service):
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["deploy"]["resources"]["limits"]["memory"]


@over_whole
def test_ports_are_published_on_loopback_by_default(service):
    for port in service.get("ports", []):
        assert port.startswith(("127.0.0.1:", "${HANDFUL_PUBLISH:-127.0.0.1}:"))


def test_only_the_api_is_published_and_it_knows_on_which_address():
    assert [name for name, service in BASE.items() if "ports" in service] == ["api"]
    published = BASE["api"]["environment"]["HANDFUL_PUBLISHED_HOST"]
    assert BASE["api"]["ports"][0].startswith(f"{published}:")


def test_redis_and_worker_are_on_internal_networks():
    networks = yaml.safe_load(COMPOSE[0].read_text())["networks"]
    for name in ("redis", "worker"):
        assert all(networks[network]["internal"] for network in BASE[name]["networks"])


def test_the_api_waits_until_redis_and_the_worker_are_healthy():
    assert {name: wait["condition"] for name, wait in BASE["api"]["depends_on"].items()} == {
        "redis": "service_healthy",
        "worker": "service_healthy",
    }


def test_own_models_are_mounted_where_both_containers_look_for_them():
    for service in services(ROOT / "docker/compose.own-models.yml").values():
        assert f":{service['environment']['HANDFUL_OWN_MODELS']}:ro" in service["volumes"][0]


@pytest.mark.parametrize("stage", ["api", "worker"])
def test_an_image_runs_without_root_and_has_a_health_check(stage):
    assert re.search(r"^USER 10001:10001$", STAGES[stage], re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .*"service\.\w+\.healthcheck"\]$', STAGES[stage], re.MULTILINE | re.DOTALL)


def test_the_image_of_the_api_has_no_torch():
    assert not re.search("torch", STAGES["api"] + STAGES["common"].split("ENTRYPOINT")[1], re.IGNORECASE)
    assert "torch" not in PINS


def test_the_lock_has_the_versions_that_are_tested():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = {re.sub("[_.]", "-", name).lower(): version for name, version in (
        line.split("==") for line in lines if not line.startswith("#")
    )}  # fmt: skip
    assert {name: tested[name] for name in PINS if name in tested} == {n: v for n, v in PINS.items() if n in tested}
    assert len(PINS.keys() - tested.keys()) <= 2  # what is for other systems than that of the suite


def test_the_lock_has_all_that_the_package_needs():
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    client = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]
    needs += client["dependencies"] + client["optional-dependencies"]["cli"]
    assert {re.split(r"[\[>=]", need)[0] for need in needs} <= PINS.keys()


def test_the_lock_has_a_hash_of_everything():
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())
    assert len(entries) == len(PINS)
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize(
    "path", [*COMPOSE, ROOT / "Dockerfile", ROOT / "requirements.lock"], ids=lambda path: path.name
)
def test_no_file_names_a_package_host(path):
    assert not re.search(r"index-url\s+\S*://|pypi\.|https?://\S+/simple", path.read_text())


def test_each_replica_has_its_own_socket_volume():
    scaled = services(ROOT / "docker/compose.scale.yml")
    volumes = {name: BASE[name]["volumes"] for name in ("api", "worker")}
    volumes |= {name: scaled[name]["volumes"] for name in ("api-2", "worker-2")}
    assert volumes == {
        "api": ["sockets:/run/handful:ro"], "worker": ["sockets:/run/handful"],
        "api-2": ["sockets-2:/run/handful:ro"], "worker-2": ["sockets-2:/run/handful"],
    }  # fmt: skip
    assert str(Settings().worker_socket.parent) == "/run/handful"


def test_only_the_balancer_is_published_and_knows_the_address_of_every_replica():
    scaled = services(ROOT / "docker/compose.scale.yml")
    named = dict(host.split(":", 1) for host in scaled["balancer"]["extra_hosts"])
    for name in ("api", "api-2"):
        assert scaled[name]["ports"] is None
        assert scaled[name]["networks"]["front"]["ipv4_address"] == named[name]
        assert f"server {name}:8000" in NGINX


def test_the_balancer_hashes_the_client_and_retries_predicts_only():
    assert "hash $route consistent;" in NGINX
    assert re.search(r"map \$http_x_client_id \$route", NGINX)
    retries = dict(re.findall(r"location (?:= )?(\S+) \{[^}]*proxy_next_upstream ([^;]+);", NGINX))
    assert retries == {"/": "error timeout http_503", "/predict": "error timeout http_503 non_idempotent"}


def test_the_balancer_leaves_limits_and_deadlines_to_the_api():
    assert "client_max_body_size 0;" in NGINX
    assert int(re.search(r"proxy_read_timeout (\d+)s", NGINX)[1]) > Settings().deadline_s


@pytest.mark.parametrize("query", [*QUERIES.values(), *(rule["expr"] for rule in ALERTS)])
def test_every_query_uses_metrics_that_exist(query):
    ours = set(re.findall(r"handful_\w+", query))
    measured = set(re.findall(r"^# TYPE (\w+)", exposition().decode(), re.MULTILINE))
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in ours} <= measured


@pytest.mark.parametrize(
    "said", ["Requests", "Errors", "Latency", "Queue", "Batch size", "Cache hits", "Memory", "Clients"]
)
def test_the_dashboard_has_a_panel(said):
    assert said in QUERIES


def test_grafana_has_the_data_source_of_the_dashboard():
    given = yaml.safe_load((ROOT / "docker/grafana/provisioning/datasources/prometheus.yml").read_text())
    uids = {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    assert uids == {each["uid"] for each in given["datasources"]}


def test_every_alert_is_in_the_guide():
    guide = (ROOT / "docs/operations.md").read_text()
    assert [rule["alert"] for rule in ALERTS if rule["alert"] not in guide] == []


def test_a_setting_can_come_from_a_secret_file(tmp_path):
    (tmp_path / "handful_redis_url").write_text("redis://:password@redis\n")
    assert Settings(_secrets_dir=tmp_path).redis_url == "redis://:password@redis"
