"""What Prometheus is told. No client or tenant is ever a label."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

requests = Counter("handful_http_requests", "Requests answered.", ["route", "method", "status"])
request_seconds = Histogram("handful_http_request_duration_seconds", "Seconds to an answer.", ["route"])
queue_depth = Gauge("handful_queue_depth", "Jobs that wait for the device.", ["lane"], multiprocess_mode="livesum")
batch_size = Histogram(
    "handful_batch_size", "Jobs that ran as one batch.", ["lane"], buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
state_cache = Counter("handful_state_cache_lookups", "Look-ups of a state on the device.", ["outcome"])
state_cache_bytes = Gauge(
    "handful_state_cache_bytes", "Bytes of states held on the device.", multiprocess_mode="livesum"
)
device_memory_bytes = Gauge(
    "handful_device_memory_bytes",
    "Bytes that torch has taken of an accelerator; of the CPU's, the process says it.",
    multiprocess_mode="livesum",
)
clients = Gauge("handful_clients", "Clients that are kept, of all tenants.", multiprocess_mode="livemostrecent")
states_rebuilt = Counter("handful_states_rebuilt", "States made again from their support sets.")
decoders_ended = Counter("handful_decoders_ended", "Image decoders that were ended or crashed.", ["reason"])


def exposition() -> bytes:
    """All metrics, for Prometheus: of every process of the service where they share a folder, else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
