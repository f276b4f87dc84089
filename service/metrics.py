"""Metrics for Prometheus. Clients are never labels, and tenants only with HANDFUL_TENANT_METRICS."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

requests = Counter("handful_http_requests", "Answered requests.", ["route", "method", "status"])
request_seconds = Histogram("handful_http_request_duration_seconds", "Seconds from a request to its answer.", ["route"])
queue_depth = Gauge("handful_queue_depth", "Jobs waiting for the device.", ["queue"], multiprocess_mode="livesum")
batch_size = Histogram("handful_batch_size", "Jobs run as one batch.", ["queue"], buckets=(1, 2, 4, 8, 16, 32, 64, 128))
state_cache = Counter("handful_state_cache_lookups", "Lookups in the state cache of the device.", ["outcome"])
state_cache_bytes = Gauge(
    "handful_state_cache_bytes", "Bytes of the states in the cache of the device.", multiprocess_mode="livesum"
)
device_memory_bytes = Gauge(
    "handful_device_memory_bytes",
    "Bytes of accelerator memory that torch has reserved.",
    multiprocess_mode="livesum",
)
tenant_requests = Counter("handful_tenant_requests", "Requests with a known tenant.", ["tenant"])
tenant_device_seconds = Counter("handful_tenant_device_seconds", "Seconds of the device.", ["tenant"])
refused_rates = Counter("handful_refused_rates", "Requests over the rate of their tenant.", ["quota"])
wrong_keys = Counter("handful_wrong_keys", "Requests with an unknown API key.")
clients = Gauge("handful_clients", "Stored clients of all tenants.", multiprocess_mode="livemostrecent")
states_rebuilt = Counter("handful_states_rebuilt", "States rebuilt from their support sets.")
decoders_ended = Counter("handful_decoders_ended", "Image decoders that were ended or crashed.", ["reason"])
corrupt_records = Counter(
    "handful_corrupt_records", "Reads of records, support sets and list entries that were corrupt."
)
corrupt_states = Counter("handful_corrupt_states", "Reads of states that were corrupt; they are rebuilt.")


def exposition() -> bytes:
    """The metrics of all processes that share PROMETHEUS_MULTIPROC_DIR; without it, those of this process."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
