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


def versions_key(client: ClientKey) -> str:
    """A hash from version numbers to sealed `Snapshot`s, or `Gone`s, as JSON."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:versions"


def examples_key(client: ClientKey) -> str:
    """A hash from rows to sealed `Entry`s, as JSON."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:examples"


def inputs_key(client: ClientKey) -> str:
    """A hash from rows to the bytes of decoded inputs. The entries have their digests."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:inputs"


def state_key(client: ClientKey) -> str:
    """The latest state: a line with its name and digest, then a safetensors file. It expires."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:state"


def past_state_key(client: ClientKey) -> str:
    """The state of the earlier version that was asked last. It expires."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:past-state"


def queries_key(client: ClientKey) -> str:
    """A sorted set of the ids of kept queries. The score counts all bytes that were ever kept, up to that query. The
    query itself is under this key, a colon and its id: the digest of the input, its form, and its bytes. It expires."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:queries"


def query_key(client: ClientKey, query: str) -> str:
    """One kept query. It expires."""
    return f"{queries_key(client)}:{query}"


def support_key(client: ClientKey) -> str:
    """The support set of a client that 0.1 wrote: a safetensors file with `inputs`, decoded, and `targets`."""
    return f"handful:{{{client.tenant}:{client.client_id}}}:support"


def client_keys(client: ClientKey) -> list[str]:
    """All keys of a client but those of kept queries, in the order in which the scripts take them."""
    named = record_key, versions_key, examples_key, inputs_key, state_key, past_state_key, support_key, queries_key
    return [key(client) for key in named]


def copied_key(key: str) -> str:
    """A key beside another, in the same slot, that is written to learn whether replicas have all that was written. It
    expires at once."""
    return f"{key.rpartition(':')[0]}:copied"


def index_key(tenant: str) -> str:
    """A sorted set of the tenant's client ids. All scores are 0, so the ids are sorted by their bytes."""
    return f"handful:{{{tenant}}}:clients"


def sizes_key(tenant: str) -> str:
    """A hash from the ids of the tenant's clients to their examples and bytes, as "12 9408"."""
    return f"handful:{{{tenant}}}:sizes"


def usage_key(tenant: str) -> str:
    """A hash: the sums of `sizes_key`. The field `closed` says that the tenant was deleted; then the hash expires."""
    return f"handful:{{{tenant}}}:usage"


def rate_key(tenant: str) -> str:
    """A hash: the tokens of a tenant that are left for requests and seconds of the device, and since when. It
    expires."""
    return f"handful:{{{tenant}}}:rate"


def days_key(tenant: str) -> str:
    """A hash: requests and seconds of the device by day, under "2026-11-25 requests" and "2026-11-25 device_s"."""
    return f"handful:{{{tenant}}}:days"


def answers_key(tenant: str) -> str:
    """A hash from idempotency keys to answers. The field "" holds their total size in bytes. It expires."""
    return f"handful:{{{tenant}}}:answers"


def answer_times_key(tenant: str) -> str:
    """A sorted set of the same idempotency keys. Scores are the times of writing, in seconds since 1970. It expires."""
    return f"handful:{{{tenant}}}:answer-times"


def rest_keys(tenant: str) -> list[str]:
    """All keys of a tenant that are left when it has no clients, but for `usage_key`."""
    of_tenant = index_key, sizes_key, rate_key, days_key, answers_key, answer_times_key
    return [key(tenant) for key in of_tenant]


KEYS_KEY = "handful:{handful:expiries}:keys"
"""A hash from the ids of API keys to sealed `ApiKey`s, as JSON. The field "" says that keys are asked for."""

QUOTAS_KEY = "handful:{handful:expiries}:quotas"
"""A hash from tenants to what differs from the default quota, as sealed JSON."""

KEYS_USED_KEY = "handful:{handful:expiries}:used"
"""A hash from the ids of API keys to the times of their last use, in seconds since 1970."""

TENANTS_KEY = "handful:{handful:expiries}:tenants"
"""A set of the names of the tenants that have or had a key here."""

EXPIRIES_KEY = "handful:expiries"
"""A sorted set of `tenant:client` for clients with a time to live. Scores are expiries in seconds since 1970."""


def probe_keys(number: int = 0) -> tuple[str, str, str]:
    """The keys of the readiness probe: a string, a sorted set and a hash. No tenant's name has a dot."""
    tag = f"{{.ready-{number}}}"
    return f"handful:{tag}:probe", f"handful:{tag}:probe-list", f"handful:{tag}:probe-answers"
