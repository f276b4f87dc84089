"""A steady load. Every answer is judged."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable

import httpx

from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.tally import Tally

PATIENCE_S = 120
"""Longer than any request may take. A later answer is a violation."""
PAUSE_S = 0.2
"""Seconds between two requests of a client."""
SENDS = 3
"""Maximum attempts to send an adapt."""
ALLOWED = {409, 429, 503, 504, 507}
"""Allowed statuses, with Retry-After. 409: the same request is still running."""
CHANGED_NOTHING = {"busy", "deadline_exceeded", "store_full"}
"""Codes which promise that nothing was changed. After any other error, the adapt may have been done."""
PROXY_FAILED = {404, 500}
"""Statuses of Ray's proxies while no replica is known, and for a request whose replica was killed."""


class Load:
    """Clients of the service. They adapt and predict repeatedly."""

    def __init__(self, url: str) -> None:
        self.tally = Tally()
        self._run = secrets.token_hex(8)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=PATIENCE_S, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None)
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def keep_teaching(self, ledger: Ledger, allowed: asyncio.Event) -> None:
        """Adapt repeatedly while `allowed` is set, until cancelled."""
        while True:
            await allowed.wait()
            await self.teach(ledger)
            await asyncio.sleep(PAUSE_S)

    async def keep_asking(self, ledger: Ledger) -> None:
        """Predict repeatedly, until cancelled."""
        while True:
            await self.ask(ledger)
            await asyncio.sleep(PAUSE_S)

    async def teach(self, ledger: Ledger) -> bool:
        """Adapt once; returns whether it was acknowledged. Retries have the same idempotency key."""
        attempt = ledger.begin()
        key = {"Idempotency-Key": f"{self._run}-{ledger.client_id}-{attempt}"} | _affinity(ledger)
        for sent in range(SENDS):
            response = await self._send(
                "adapt", lambda: self._http.post("/adapt", json=ledger.body(attempt), headers=key)
            )
            if response is not None and response.status_code == 200:
                self.tally.judged(ledger.acknowledged(attempt, response.json()))
                return True
            if sent == 0 and response is not None and _code(response) in CHANGED_NOTHING:
                ledger.refused(attempt)
                return False
            await asyncio.sleep(PAUSE_S)
        return False

    async def ask(self, ledger: Ledger) -> bool:
        """Predict once; returns whether it was answered."""
        floor = ledger.known
        headers = _affinity(ledger)
        return await self._read(
            "predict",
            lambda: self._http.post("/predict", json=ledger.question(), headers=headers),
            ledger,
            ledger.predicted,
            floor,
        )

    async def look_at(self, ledger: Ledger) -> bool:
        """GET the client once; returns whether it was answered."""
        floor = ledger.known
        return await self._read(
            "get", lambda: self._http.get(f"/clients/{ledger.client_id}"), ledger, ledger.shown, floor
        )

    async def ready(self) -> bool:
        """Whether the service is ready."""
        response = await self._send("readyz", lambda: self._http.get("/readyz"))
        return response is not None and response.status_code == 200

    async def post(self, path: str, body: bytes, content_type: str) -> httpx.Response | None:
        """Send a request. Only its status is checked."""
        headers = {"content-type": content_type}
        return await self._send(path, lambda: self._http.post(path, content=body, headers=headers))

    def answered_mischief(self, answer: bytes) -> None:
        """Record the answer to a hostile client. It must be 4xx or none."""
        self.tally.operations += 1
        status = answer[9:12].decode("latin-1")
        self.tally.answers[status or "closed"] += 1
        if status and not status.startswith("4"):
            self.tally.violated(f"mischief: {answer[:300]!r}")

    async def _read(
        self,
        call: str,
        send: Callable[[], Awaitable[httpx.Response]],
        ledger: Ledger,
        judge: Callable[[int, dict], Verdict],
        floor: int,
    ) -> bool:
        response = await self._send(call, send, missing=True)
        if response is None:
            return False
        if _unknown(response):
            self.tally.judged(ledger.missing(floor))
        elif response.status_code == 200:
            self.tally.judged(judge(floor, response.json()))
        return response.status_code == 200 or _unknown(response)

    async def _send(
        self, call: str, send: Callable[[], Awaitable[httpx.Response]], *, missing: bool = False
    ) -> httpx.Response | None:
        """Send and record; returns the response, or None if the connection broke."""
        self.tally.operations += 1
        might_break = self.tally.may_break
        try:
            response = await send()
        except httpx.TransportError as error:
            self._broke(f"{call}: {error!r}", allowed=might_break or self.tally.may_break)
            return None
        self.tally.answers[str(response.status_code)] += 1
        if response.status_code == 200:
            self.tally.successes[call].append(time.monotonic())
        elif not (missing and _unknown(response)):
            self._failed(call, response, might_break=might_break or self.tally.may_break)
        return response

    def _failed(self, call: str, response: httpx.Response, *, might_break: bool) -> None:
        if response.status_code in PROXY_FAILED and _code(response) is None and might_break:
            return
        if response.status_code not in ALLOWED or "retry-after" not in response.headers:
            self.tally.violated(f"{call}: {response.status_code} {response.text[:300]}")

    def _broke(self, what: str, *, allowed: bool) -> None:
        self.tally.answers["broken"] += 1
        if not allowed:
            self.tally.violated(what)


def _unknown(response: httpx.Response) -> bool:
    """Whether the service does not know the client."""
    return response.status_code == 404 and _code(response) == "unknown_client"


def _affinity(ledger: Ledger) -> dict[str, str]:
    return {"X-Client-Id": ledger.client_id}


def _code(response: httpx.Response) -> str | None:
    """The code of a problem. An answer of a proxy has none."""
    try:
        return response.json().get("code")
    except ValueError:
        return None
