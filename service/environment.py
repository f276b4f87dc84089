"""Read settings from environment variables, and refuse unknown ones."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "HANDFUL_"
OTHERS = (
    "HANDFUL_DATA",
    "HANDFUL_ENCODERS",
    "HANDFUL_KEY",
    "HANDFUL_NATIVE",
    "HANDFUL_PUBLISH",
    "HANDFUL_SUBNET",
    "HANDFUL_TORCH",
    "HANDFUL_URL",
)
"""Variables for the Makefile, the native kernel, docker compose, the Dockerfile, and the commands that are clients."""

KUBERNETES_NAME = re.compile(
    r"HANDFUL_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.IGNORECASE
)
KUBERNETES_PORT = re.compile(r"HANDFUL_(\w+_)?PORT=(tcp|udp|sctp)://.*", re.IGNORECASE | re.DOTALL)
"""Variables that Kubernetes sets in each pod for services named `handful` or `handful-...`."""


class UnknownVariable(ValueError):
    """An environment variable has the prefix of settings but an unknown name."""


class Environment(EnvSettingsSource):
    """The settings source for environment variables. It strips white space around values."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.env_vars: Mapping[str, str | None] = {
            name: value and value.strip()
            for name, value in self.env_vars.items()
            if not is_kubernetes(name, value or "")
        }

    def __call__(self) -> dict[str, Any]:
        """The values by field. Raises UnknownVariable."""
        known = [f"{PREFIX}{field.upper()}" for field in self.settings_cls.model_fields]
        check_names((name for name, value in self.env_vars.items() if value), known)
        return super().__call__()

    def prepare_field_value(self, field_name: str, field: Any, value: Any, value_is_complex: bool) -> Any:
        """Called by pydantic. Passes invalid JSON on as text, because the error of the validation names the field."""
        try:
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        except ValueError:
            return value


def is_kubernetes(name: str, value: str) -> bool:
    """Whether Kubernetes has set this variable."""
    return bool(KUBERNETES_NAME.fullmatch(name) or KUBERNETES_PORT.fullmatch(f"{name}={value}"))


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse unknown names that have the prefix of settings. Raises UnknownVariable."""
    names = [*known, *OTHERS]
    unknown = sorted(name.upper() for name in given if name.upper().startswith(PREFIX) and name.upper() not in names)
    if unknown:
        nearest = difflib.get_close_matches(unknown[0], names, n=1, cutoff=0)[0]
        raise UnknownVariable(f"{unknown[0]}: not a setting. The nearest name is {nearest}.")
