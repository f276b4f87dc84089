"""OpenTelemetry traces, sent to a collector of the test's own, and logs of all processes in JSON."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.server import Server
from tests.service.drawings import wave

TRACE_ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BODY = {"client_id": "bob", "model": "sinusoid", "support": wave()}


class Collector(HTTPServer):
    """Takes spans over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Received)
        self.spans: list = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Received(BaseHTTPRequestHandler):
    """One export of spans."""

    def do_POST(self) -> None:
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        scopes = [scope for resource in sent.resource_spans for scope in resource.scope_spans]
        self.server.spans += [span for scope in scopes for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.shutdown()
    running.server_close()


def test_spans_continue_the_trace_of_the_caller_and_logs_name_it(collector, tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "handful")
    server = Server(tmp_path / "data", serve="sinusoid,glyphs", tracing="true", log_format="json", log_requests="true")
    server.start()
    try:
        headers = {"traceparent": f"00-{TRACE_ID}-{PARENT}-01"}
        httpx.post(f"{server.url}/adapt", json=BODY, headers=headers, timeout=60).raise_for_status()
    finally:
        server.stop()
    (span,) = [span for span in collector.spans if span.trace_id.hex() == TRACE_ID]
    assert (span.name, span.parent_span_id.hex()) == ("POST /adapt", PARENT)
    lines = [json.loads(line) for line in server.log().splitlines()]
    (logged,) = [line for line in lines if line.get("route") == "/adapt"]
    assert (logged["trace_id"], logged["status"]) == (TRACE_ID, 200)
    assert any("Handful is ready on" in line["message"] for line in lines)
