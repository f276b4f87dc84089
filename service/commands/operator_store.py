"""The store of the service, for the commands of an operator."""

import asyncio
import getpass
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from service.audit import STDOUT, AuditLog
from service.settings import Settings
from service.store.embedded_valkey import running_valkey
from service.store.open_store import open_store
from service.store.store import Store

Result = TypeVar("Result")

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def with_store(work: Callable[[Store], Awaitable[Result]]) -> Result:
    """Do the work with the store of the settings: HANDFUL_REDIS_URL, or the embedded Valkey in HANDFUL_STORE_DIR."""

    async def run() -> Result:
        async with _opened(Settings()) as store:
            return await work(store)

    return asyncio.run(run())


def audited(call: str, **fields: str | None) -> None:
    """Write an act of an operator to the audit log, if the settings name one."""
    target = Settings().audit_log
    if target is None or target == STDOUT:  # the output of a command is its result
        return
    log = AuditLog(target)
    log.write(call, user=getpass.getuser(), **fields)
    log.close()


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    if settings.redis_url is None:
        valkey = running_valkey(settings.store_dir, settings.store_bytes)
        async with valkey as url, _store(url, settings) as store:
            yield store
    else:
        async with _store(settings.redis_url, settings) as store:
            yield store


@asynccontextmanager
async def _store(url: str, settings: Settings) -> AsyncIterator[Store]:
    store = open_store(url, settings)
    try:
        yield store
    finally:
        await store.close()


def seconds(text: str | None, option: str) -> int | None:
    """The seconds of a time such as 90d. Raises ValueError."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if found is None:
        raise ValueError(f"{option} {text[:20]}: takes a number with s, m, h or d behind it, such as 90d")
    return int(found[1]) * SECONDS[found[2]]
