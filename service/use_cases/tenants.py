"""The use cases of an operator: what tenants use, what they may use, and deleting them."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from service.errors import UnknownClient, Unprocessable
from service.store.quotas import Quota
from service.store.rates import Day
from service.store.records import ClientKey
from service.store.store import Store
from service.store.usage import Stored
from service.use_cases.keys import Keys

DEFAULT = "default"
"""In place of a value: no value of the tenant's own."""
SHOWN_DAYS = 31
PART = 100
"""Clients that are deleted at a time."""


class TenantUse(NamedTuple):
    """What a tenant stores, may use, and used on the last days."""

    tenant: str
    stored: Stored
    quota: Quota
    days: list[Day]


class TenantReceipt(BaseModel):
    """What stays of a deleted tenant, in the hands of the operator. Nothing of it is stored."""

    tenant: str
    clients: int = Field(description="Clients that were deleted, with their examples, versions and states.")
    examples: int = Field(description="Examples that they had.")
    bytes: int = Field(description="Bytes of their inputs.")
    keys: int = Field(description="API keys that were revoked.")
    deleted_at: datetime


class Tenants:
    """The tenants of the service.

    Args:
        store: The store.
        known: Tenants that the settings name.
        evict: Removes a state from the device, by the id of its write.
    """

    def __init__(
        self, store: Store, known: Collection[str] = (), evict: Callable[[str], None] = lambda write: None
    ) -> None:
        self._store, self._known, self._evict = store, known, evict

    async def names(self) -> list[str]:
        """All tenants that the settings name, or that have or had a key or a quota here, sorted."""
        return sorted({*self._known, *await self._store.keys.tenants()})

    async def use(self, tenant: str) -> TenantUse:
        """What a tenant stores and uses."""
        since = datetime.now(UTC).date() - timedelta(days=SHOWN_DAYS)
        stored, days = await self._store.usage.stored(tenant), await self._store.rates.days(tenant, since)
        return TenantUse(tenant, stored, await self._store.quotas.of(tenant), days)

    async def uses(self) -> list[TenantUse]:
        """What all tenants store and use."""
        return [await self.use(tenant) for tenant in await self.names()]

    async def set_quota(self, tenant: str, changes: Mapping[str, Any]) -> Quota:
        """Change some fields of a tenant's quota. None: no limit. `DEFAULT`: as in the settings.

        Raises:
            Unprocessable: A field or a value is invalid.
        """
        try:
            return await self._store.quotas.change(tenant, lambda own: _changed(own, changes))
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise Unprocessable(
                f"{field}: {first['msg']}. Fields: {', '.join(Quota.model_fields)}.", field=field
            ) from None

    async def delete(self, tenant: str) -> TenantReceipt:
        """Delete everything of a tenant: keys, clients, answers, counts and quota. From the first moment on, nothing is
        written for it. If the process dies in between, delete it again.

        Returns:
            The receipt.
        """
        stored = await self._store.usage.stored(tenant)
        await self._store.usage.close(tenant)
        keys, clients = await Keys(self._store).revoke_all(tenant), 0
        while ids := await self._store.tenant_data.client_ids(tenant, PART):
            for client_id in ids:
                await self._forget(ClientKey(tenant, client_id))
            clients += len(ids)
        await self._store.tenant_data.drop_rest(tenant)
        await self._store.quotas.set(tenant, {})
        await self._store.keys.drop_tenant(tenant)
        return TenantReceipt(
            tenant=tenant,
            clients=clients,
            examples=stored.examples,
            bytes=stored.bytes,
            keys=keys,
            deleted_at=datetime.now(UTC),
        )

    async def _forget(self, client: ClientKey) -> None:
        with suppress(UnknownClient):
            record = await self._store.forget(client)
            if record is not None:
                self._evict(record.write)


def _changed(own: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults after changes. Raises ValidationError."""
    chosen = {name: value for name, value in {**own, **changes}.items() if value != DEFAULT}
    unknown = sorted(set(changes) - set(Quota.model_fields))
    return Quota.model_validate(chosen | dict.fromkeys(unknown)).model_dump(include=set(chosen))
