"""handful tenants and handful quotas: what tenants use, what they may use, and deleting them."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from service.commands.operator_store import audited, with_store
from service.settings import Settings
from service.store.quotas import Quota
from service.store.store import Store
from service.use_cases.tenants import DEFAULT, Tenants, TenantUse

NONE = "none"
"""In place of a value: no limit."""


def show_usage(tenant: str | None, *, as_json: bool) -> None:
    """Show what a tenant, or each, stores and uses."""
    uses = with_store(lambda store: _uses(_tenants(store), tenant))
    if as_json:
        print(json.dumps([_shown(use) for use in uses], indent=2))
        return
    table = Table("tenant", "clients", "examples", "bytes", "requests", "device s")
    for use in uses:
        limits = use.quota.clients, use.quota.examples, use.quota.bytes
        stored = [
            f"{used}{'' if limit is None else f' of {limit}'}" for used, limit in zip(use.stored, limits, strict=True)
        ]
        requests, device_s = sum(day.requests for day in use.days), sum(day.device_s for day in use.days)
        table.add_row(use.tenant, *stored, str(requests), f"{device_s:.1f}")
    Console().print(table)


def set_quota(tenant: str, changes: Sequence[str]) -> None:
    """Change a quota, and print it. Raises ValueError, Unprocessable."""
    wanted = dict(_change(text) for text in changes)
    quota = with_store(lambda store: _tenants(store).set_quota(tenant, wanted))
    audited("handful quotas set", target=tenant)
    _print(quota)


def show_quota(tenant: str) -> None:
    """Print a quota."""
    _print(with_store(lambda store: store.quotas.of(tenant)))


def delete(tenant: str) -> None:
    """Delete everything of a tenant, and print the receipt."""
    receipt = with_store(lambda store: _tenants(store).delete(tenant))
    audited("handful tenants delete", target=tenant)
    print(receipt.model_dump_json(indent=2))


async def _uses(tenants: Tenants, tenant: str | None) -> list[TenantUse]:
    return await tenants.uses() if tenant is None else [await tenants.use(tenant)]


def _tenants(store: Store) -> Tenants:
    return Tenants(store, {"default", *Settings().api_keys})


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or name not in Quota.model_fields:
        raise ValueError(f"{text[:40]}: takes NAME=VALUE with one of {', '.join(Quota.model_fields)}")
    try:
        return name, {NONE: None, DEFAULT: DEFAULT}[value] if value in (NONE, DEFAULT) else _number(value)
    except ValueError:
        raise ValueError(f"{name}: takes a number, {NONE} or {DEFAULT}, not {value[:20]}") from None


def _number(value: str) -> float:
    return int(value) if value.isdigit() else float(value)


def _shown(use: TenantUse) -> dict[str, Any]:
    days = [day._asdict() for day in use.days]
    return {"tenant": use.tenant, "stored": use.stored._asdict(), "quota": use.quota.model_dump(), "days": days}


def _print(quota: Quota) -> None:
    for name, value in quota.model_dump().items():
        print(f"{name}={NONE if value is None else value}")
