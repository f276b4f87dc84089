"""The work of a disconnected client is cancelled and leaves nothing behind."""

import asyncio
import json
import socket
import threading

import httpx

from tests.service.drawings import letters
from tests.service.serving import serving


class Waiting:
    """An engine with endless adapts, which record when they begin and when they are cancelled."""

    def __init__(self, engine) -> None:
        self._engine, self.armed = engine, False
        self.began, self.cancelled = threading.Event(), threading.Event()

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    async def adapt(self, *args, **options):
        if not self.armed:
            return await self._engine.adapt(*args, **options)
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def test_a_disconnected_client_cancels_its_job_and_stores_nothing(settings, worker, redis):
    engine = Waiting(worker)
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
