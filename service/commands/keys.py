"""handful keys: make, list, rotate and revoke API keys."""

import json
from datetime import datetime
from typing import Any, cast

from rich.console import Console
from rich.table import Column, Table

from service.commands.operator_store import audited, seconds, with_store
from service.store.key_ring import ApiKey, Scope
from service.use_cases.keys import Keys, Listed, NewKey


def create(tenant: str, scopes: str, expires: str | None, *, as_json: bool) -> None:
    """Make a key and print it. Raises ValueError for an invalid time, and the errors of `Keys.create`."""
    wanted = [cast(Scope, name.strip()) for name in scopes.split(",") if name.strip()]
    expires_s = seconds(expires, "--expires")
    made = with_store(lambda store: Keys(store).create(tenant, wanted, expires_s))
    audited("handful keys create", tenant=tenant, target=made.key.id)
    _print_new(made, as_json=as_json)


def rotate(key_id: str, overlap: str | None, *, as_json: bool) -> None:
    """Make a key in place of another one and print it. Raises ValueError, and the errors of `Keys.rotate`."""
    overlap_s = seconds(overlap, "--overlap")
    made = with_store(lambda store: Keys(store).rotate(key_id, overlap_s=overlap_s))
    audited("handful keys rotate", tenant=made.key.tenant, target=key_id)
    _print_new(made, as_json=as_json)


def revoke(key_id: str) -> None:
    """Revoke a key. Raises UnknownKey."""
    key = with_store(lambda store: Keys(store).revoke(key_id))
    audited("handful keys revoke", tenant=key.tenant, target=key_id)
    print(f"revoked the key {key.id} of {key.tenant}")


def list_keys(tenant: str | None, *, as_json: bool) -> None:
    """List keys, as a table or as JSON."""
    listed = with_store(lambda store: Keys(store).list(tenant))
    if as_json:
        print(json.dumps([_shown(each) for each in listed], indent=2))
        return
    whole = Column("id", no_wrap=True), Column("tenant", no_wrap=True), "scopes"
    table = Table(*whole, "created", "expires", "last used", Column("rotated to", no_wrap=True))
    for key, used in listed:
        expires = _day(key.expires_at) + (" (expired)" if key.expired() else "")
        times = _day(key.created_at), expires, _day(used)
        table.add_row(key.id, key.tenant, ",".join(key.scopes), *times, key.replaced_by or "")
    Console().print(table)


def _print_new(made: NewKey, *, as_json: bool) -> None:
    """Print a key alone on a line, so that scripts can read it; the rest goes to stderr."""
    if as_json:
        print(json.dumps(_shown(Listed(made.key, None)) | {"key": made.secret}, indent=2))
        return
    print(made.secret)
    scopes, expires = ", ".join(made.key.scopes), _day(made.key.expires_at)
    note = f"key {made.key.id} of {made.key.tenant} for {scopes}; expires: {expires}. It is shown this once."
    Console(stderr=True).print(note, highlight=False, soft_wrap=True)


def _shown(listed: Listed) -> dict[str, Any]:
    return _public(listed.key) | {
        "last_used_at": None if listed.last_used_at is None else listed.last_used_at.isoformat()
    }


def _public(key: ApiKey) -> dict[str, Any]:
    """A key without its hash."""
    return key.model_dump(mode="json", exclude={"sha256"})


def _day(time: datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M}"
