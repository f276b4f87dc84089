"""The commands of an operator: keys, quotas, tenants. They work on the Redis of the service, while it runs or not."""

from pathlib import Path
from typing import Annotated

import typer

Expires = Annotated[str | None, typer.Option(help="Time until the key expires, such as 90d, 12h, 30m or 45s.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="The id of a key, as handful keys list shows it.")]

keys = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)


@keys.command()
def create(
    tenant: Annotated[str, typer.Argument(help="The tenant that the key belongs to.")],
    expires: Expires = None,
    scopes: Annotated[str, typer.Option(help="Some of read, predict, adapt, admin.")] = "read,predict,adapt",
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once. From the first key on, every request to the service needs one."""
    from service.commands.keys import create  # noqa: PLC0415

    create(tenant, scopes, expires, as_json=as_json)


@keys.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Argument(help="Only the keys of this tenant.")] = None, as_json: AsJson = False
) -> None:
    """List the keys, with their last use. The keys themselves are stored nowhere."""
    from service.commands.keys import list_keys  # noqa: PLC0415

    list_keys(tenant, as_json=as_json)


@keys.command()
def rotate(
    key: Id,
    overlap: Annotated[
        str | None, typer.Option(help="Time until the old key expires, such as 24h; by default until it is revoked.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key in place of another one and print it, once. Both are valid; the one before both is revoked."""
    from service.commands.keys import rotate  # noqa: PLC0415

    rotate(key, overlap, as_json=as_json)


@keys.command()
def revoke(key: Id) -> None:
    """Revoke a key. The service refuses it after at most two seconds."""
    from service.commands.keys import revoke  # noqa: PLC0415

    revoke(key)


quotas = typer.Typer(help="Show and change what a tenant may store and use.", no_args_is_help=True)
Tenant = Annotated[str, typer.Argument(help="The name of the tenant.")]


@quotas.command("set")
def set_quota(
    tenant: Tenant,
    changes: Annotated[
        list[str],
        typer.Argument(
            help="NAME=VALUE: clients, examples, bytes, requests_per_s, burst, device_s_per_min; none: no limit; "
            "default: as in the settings."
        ),
    ],
) -> None:
    """Change the quota of a tenant. It takes effect within two seconds."""
    from service.commands.tenants import set_quota  # noqa: PLC0415

    set_quota(tenant, changes)


@quotas.command("show")
def show_quota(tenant: Tenant) -> None:
    """Show the quota of a tenant."""
    from service.commands.tenants import show_quota  # noqa: PLC0415

    show_quota(tenant)


tenants = typer.Typer(help="Show what tenants use, and delete tenants.", no_args_is_help=True)


@tenants.command()
def usage(
    tenant: Annotated[str | None, typer.Argument(help="Only this tenant.")] = None, as_json: AsJson = False
) -> None:
    """Show what each tenant stores, and used on the last 31 days."""
    from service.commands.tenants import show_usage  # noqa: PLC0415

    show_usage(tenant, as_json=as_json)


@tenants.command()
def delete(
    tenant: Tenant, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you are sure.")] = False
) -> None:
    """Delete everything of a tenant: keys, clients, examples, counts and quota. Prints a receipt."""
    from service.commands.tenants import delete  # noqa: PLC0415

    if not yes:
        typer.confirm(f"Delete all clients, examples and keys of {tenant}?", abort=True)
    delete(tenant)


def save(file: Annotated[Path, typer.Argument(help="The file to write. It must not exist.")]) -> None:
    """Save all clients, keys and quotas of the store to a file, while the service runs or not."""
    from service.commands.backup import save  # noqa: PLC0415

    save(file)


def restore(file: Annotated[Path, typer.Argument(help="A file that handful backup has written.", exists=True)]) -> None:
    """Restore a backup to an empty store, of the same kind or another: one Redis, Sentinels or a Cluster."""
    from service.commands.backup import restore  # noqa: PLC0415

    restore(file)


def add_to(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command("backup")(save)
    app.command("restore")(restore)
    app.add_typer(keys, name="keys")
    app.add_typer(quotas, name="quotas")
    app.add_typer(tenants, name="tenants")
