"""Every key in Redis.

All keys of one client share the hash tag `{tenant:client}`. A Redis Cluster therefore keeps them in one slot, and one
script can write them together.
"""

import re

from service.store.records import ClientKey


def record_key(client: ClientKey) -> str:
    """A sealed `Record`, as JSON."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:record"


def client_of_record_key(key: bytes) -> ClientKey | None:
    """The client of a record's key; None for any other key."""
    found = re.fullmatch(rb"handful:\{([^:]+):(.+)\}:record", key)
    return ClientKey(found[1].decode(), found[2].decode()) if found and key.isascii() else None


def support_key(client: ClientKey) -> str:
    """A safetensors file with `inputs`, decoded, and `targets`. The record has its digest."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:support"


def state_key(client: ClientKey) -> str:
    """The latest state: a line with its name and digest, then a safetensors file. It expires."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:state"


def index_key(tenant: str) -> str:
    """A sorted set of the tenant's client ids. All scores are 0, so the ids are sorted by their bytes."""
    return f"handful:{{{tenant}}}:clients"


def answers_key(tenant: str) -> str:
    """A hash from idempotency keys to answers. The field "" holds their total size in bytes. It expires."""
    return f"handful:{{{tenant}}}:answers"


def answer_times_key(tenant: str) -> str:
    """A sorted set of the same idempotency keys. Scores are the times of writing, in seconds since 1970. It expires."""
    return f"handful:{{{tenant}}}:answer-times"


EXPIRIES_KEY = "handful:expiries"
"""A sorted set of `tenant:client` for clients with a time to live. Scores are expiries in seconds since 1970."""


def probe_keys(number: int = 0) -> tuple[str, str, str]:
    """The keys of the readiness probe: a string, a sorted set and a hash. No tenant's name has a dot."""
    tag = f"{{.ready-{number}}}"
    return f"handful:{tag}:probe", f"handful:{tag}:probe-list", f"handful:{tag}:probe-answers"
