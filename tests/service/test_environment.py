"""Settings from the environment."""

import pytest
from pydantic import ValidationError

from service.environment import UnknownVariable
from service.settings import Settings

KUBERNETES = {
    "HANDFUL_SERVICE_HOST": "10.0.0.1",
    "HANDFUL_SERVICE_PORT": "8000",
    "HANDFUL_SERVICE_PORT_HTTP": "8000",
    "HANDFUL_PORT": "tcp://10.0.0.1:8000",
    "HANDFUL_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "HANDFUL_PORT_8000_TCP_PROTO": "tcp",
    "HANDFUL_PORT_8000_TCP_PORT": "8000",
    "HANDFUL_PORT_8000_TCP_ADDR": "10.0.0.1",
    "HANDFUL_REDIS_SERVICE_HOST": "10.0.0.2",
    "HANDFUL_REDIS_PORT": "tcp://10.0.0.2:6379",
    "HANDFUL_REDIS_PORT_6379_TCP": "tcp://10.0.0.2:6379",
    "HANDFUL_WORKER_METRICS_PORT": "udp://10.0.0.3:9100",
}


def read(monkeypatch, variables: dict[str, str]) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("name", [f"HANDFUL_{field.upper()}" for field in Settings.model_fields])
def test_an_empty_variable_is_unset(monkeypatch, name):
    assert read(monkeypatch, {name: ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("HANDFUL_API_KEY", "HANDFUL_API_KEYS"),
        ("HANDFUL_MAX_WAY", "HANDFUL_MAX_WAYS"),
        ("handful_devise", "HANDFUL_DEVICE"),
        ("HANDFUL_PORT_8000_TCP_X", "HANDFUL_"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name_and_without_its_value(monkeypatch, name, nearest):
    with pytest.raises(UnknownVariable, match=f"{name.upper()}: .*{nearest}") as refused:
        read(monkeypatch, {name: "secret"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["HANDFUL_DATA", "HANDFUL_NATIVE", "HANDFUL_PUBLISH", "HANDFUL_TORCH"])
def test_variables_of_other_parts_are_known(monkeypatch, name):
    assert read(monkeypatch, {name: "x"}) == Settings()


def test_white_space_around_a_value_is_ignored(monkeypatch):
    given = {"HANDFUL_OPEN": " true", "HANDFUL_PORT": " 9000\n", "HANDFUL_HOST": " localhost ", "HANDFUL_DEVICE": " "}
    assert read(monkeypatch, given) == Settings(open=True, port=9000, host="localhost")


def test_variables_of_kubernetes_are_ignored(monkeypatch):
    assert read(monkeypatch, KUBERNETES) == Settings()


def test_a_port_is_still_read(monkeypatch):
    assert read(monkeypatch, {"HANDFUL_PORT": "9000"}).port == 9000


@pytest.mark.parametrize("value", ["secret", '{"acme": "secret"}', '["secret"]', '{"secret key": "x"}', "{"])
def test_a_wrong_value_is_not_in_the_error(monkeypatch, value):
    with pytest.raises(ValidationError) as refused:
        read(monkeypatch, {"HANDFUL_API_KEYS": value})
    assert "x'" not in str(refused.value)
    assert "='secret" not in str(refused.value)
