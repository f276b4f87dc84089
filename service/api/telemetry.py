"""OpenTelemetry traces of requests, which FastAPI makes and sends. Without them nothing is imported or measured."""

from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig

EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def telemetry(*, tracing: bool) -> TelemetryConfig:
    """What FastAPI records: spans of requests, if `tracing`; Handful has metrics and logs of its own.

    Raises:
        ValueError: The packages of the extra are missing.
    """
    if tracing and not _is_installed():
        raise ValueError("HANDFUL_TRACING needs the extra otel: pip install 'handful[otel]'.")
    return {"tracing": tracing, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": tracing}


def _is_installed() -> bool:
    try:
        return find_spec(EXPORTER) is not None
    except ModuleNotFoundError:
        return False
