"""The bodies and the answers of the admin API, and of usage and limits."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.settings import Tenant
from service.store.key_ring import Scope
from service.store.quotas import Quota
from service.use_cases.keys import DEFAULT_SCOPES, Listed, NewKey
from service.use_cases.limits import Left, ModelLimits
from service.use_cases.tenants import TenantUse

YEARS_S = 100 * 366 * 86400


class NewKeyRequest(BaseModel):
    """The body of POST /admin/keys."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"tenant": "acme"}]})

    tenant: Tenant
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)] = list(DEFAULT_SCOPES)
    expires_s: Annotated[int | None, Field(ge=1, le=YEARS_S, description="Seconds until it expires.")] = None


class RotateRequest(BaseModel):
    """The body of POST /admin/keys/{key_id}/rotate."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_s": 86400}]})

    overlap_s: Annotated[
        int | None,
        Field(
            ge=0, le=YEARS_S, description="Seconds until the old key expires; by default it ends when it is revoked."
        ),
    ] = None


class KeyInfo(BaseModel):
    """An API key, without the key."""

    id: str
    tenant: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    replaces: str | None = Field(description="The key that this one was rotated from.")
    replaced_by: str | None = Field(description="The key that this one was rotated to.")
    last_used_at: datetime | None = Field(None, description="To the minute.")


class NewKeyInfo(KeyInfo):
    """An API key that was just made."""

    key: str = Field(description="The key itself. It is shown this once.")


class KeyList(BaseModel):
    """All API keys, the oldest first."""

    keys: list[KeyInfo]


def info_of(listed: Listed) -> KeyInfo:
    """A key as it is shown."""
    return KeyInfo(**listed.key.model_dump(exclude={"sha256"}), last_used_at=listed.last_used_at)


def new_info_of(made: NewKey) -> NewKeyInfo:
    """A new key as it is shown, once."""
    return NewKeyInfo(**made.key.model_dump(exclude={"sha256"}), key=made.secret)


class StoredInfo(BaseModel):
    """What a tenant stores."""

    clients: int
    examples: int = Field(description="Examples of the current versions.")
    bytes: int = Field(description="Bytes of the inputs that the kept versions need.")


class DayInfo(BaseModel):
    """What a tenant used on a day, in UTC."""

    day: str
    requests: int
    device_s: float = Field(description="Seconds of the device.")


class UsageInfo(BaseModel):
    """What a tenant stores, may use, and used on the last 31 days."""

    tenant: str
    stored: StoredInfo
    quota: Quota = Field(description="null: no limit.")
    days: list[DayInfo] = Field(description="The last seconds are not counted yet.")


class UsageList(BaseModel):
    """What all tenants store and use."""

    tenants: list[UsageInfo]


class TenantList(BaseModel):
    """The names of all tenants."""

    tenants: list[str]


class QuotaRequest(BaseModel):
    """The body of PATCH /admin/tenants/{tenant}/quota. null: no limit; "default": as in the settings."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"clients": 1000, "burst": "default"}]})

    clients: Annotated[int, Field(ge=0, le=2**53)] | Literal["default"] | None = None
    examples: Annotated[int, Field(ge=0, le=2**53)] | Literal["default"] | None = None
    bytes: Annotated[int, Field(ge=0, le=2**53)] | Literal["default"] | None = None
    requests_per_s: Annotated[float, Field(gt=0, le=1e6)] | Literal["default"] | None = None
    burst: Annotated[int, Field(ge=1, le=2**31)] | Literal["default"] | None = None
    device_s_per_min: Annotated[float, Field(gt=0, le=1e6)] | Literal["default"] | None = None


def usage_of(use: TenantUse) -> UsageInfo:
    """The use of a tenant as it is shown."""
    days = [DayInfo(**day._asdict()) for day in use.days]
    return UsageInfo(tenant=use.tenant, stored=StoredInfo(**use.stored._asdict()), quota=use.quota, days=days)


class LeftInfo(BaseModel):
    """What a tenant may still store. null: no limit."""

    clients: int | None
    examples: int | None
    bytes: int | None


class ModelLimitsInfo(BaseModel):
    """The largest requests to a model that are accepted now."""

    model: str
    ways: int = Field(description="Classes of the support set; 0 for regression.")
    examples: int = Field(description="Most examples of such a support set.")
    adapt_s: float = Field(description="Seconds of the device that adapting to them takes.")
    inputs: int = Field(description="Most inputs of one predict.")
    predict_s: float = Field(description="Seconds of the device that answering them takes.")


class LimitsInfo(BaseModel):
    """What is allowed now."""

    quota: Quota = Field(description="null: no limit.")
    left: LeftInfo
    models: list[ModelLimitsInfo]


def limits_of(quota: Quota, left: Left, models: list[ModelLimits]) -> LimitsInfo:
    """The limits as they are shown."""
    shown = [ModelLimitsInfo(**each._asdict()) for each in models]
    return LimitsInfo(quota=quota, left=LeftInfo(**left._asdict()), models=shown)
