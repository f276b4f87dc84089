"""The bodies and the answers of the admin API."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.settings import Tenant
from service.store.key_ring import Scope
from service.use_cases.keys import DEFAULT_SCOPES, Listed, NewKey

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
