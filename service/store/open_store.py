"""Open the store that the settings describe."""

import math

from service.settings import Settings
from service.store.queries import Bounds
from service.store.quotas import Quota
from service.store.store import Store


def open_store(url: str, settings: Settings) -> Store:
    """The store in the Redis of a URL. It connects at its first use. Raises ValueError for a URL of no Redis."""
    return Store(
        url,
        timeout_s=settings.redis_timeout_s,
        replicas=settings.redis_replicas,
        state_ttl_s=settings.state_ttl_s,
        versions=settings.versions,
        answer_ttl_s=settings.answer_ttl_s,
        answer_bytes=settings.answer_bytes,
        mark_s=math.ceil(settings.deadline_s),
        queries=Bounds(settings.keep_queries, settings.keep_queries_bytes),
        quota=Quota(**{name: getattr(settings, f"quota_{name}") for name in Quota.model_fields}),
    )
