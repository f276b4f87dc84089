"""The work of a disconnected client is cancelled and leaves nothing behind."""

import json
import socket

import httpx

from tests.service.drawings import letters
from tests.service.endless import Endless
from tests.service.serving import serving


def test_a_disconnected_client_cancels_its_job_and_stores_nothing(settings, worker, redis):
    engine = Endless(worker, "adapt", armed=False)
    with serving(settings, engine) as api:
        engine.armed = True
        with socket.create_connection((api.base_url.host, api.base_url.port)) as connection:
            connection.sendall(request({"client_id": "leaver", "support": letters("LV")}))
            assert engine.began.wait(60)
        assert engine.cancelled.wait(60)
        engine.armed = False
        assert api.get("/clients/leaver").status_code == 404
        adapted = api.post("/adapt", json={"client_id": "stayer", "support": letters("LV")})
        assert adapted.status_code == httpx.codes.OK


def request(body: dict) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST /adapt HTTP/1.1\r\nHost: here\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content
