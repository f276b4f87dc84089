"""A limit on the bytes of all bodies and large answers that one API process holds."""

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import AnswerTooLarge, Overloaded


class MemoryBudget:
    """Bytes in flight.

    Args:
        total: Maximum bytes of all requests.
        several: Whether there are several tenants, or else once a second one has come. Then each may hold half.
    """

    def __init__(self, total: int, *, several: bool = False) -> None:
        self._total, self._several = total, several
        self._held: Counter[str] = Counter()  # by tenant; "" before a key is checked
        self._first = ""
        self.held = 0

    def check(self, tenant: str, size: int) -> None:
        """Raise Overloaded if so many bytes do not fit now."""
        share = self.share()
        if self.held + size > self._total or self._held[tenant] + size > share:
            raise Overloaded(
                f"Requests in flight may hold {self._total} bytes in all, and {share} for one tenant "
                f"(HANDFUL_MAX_BODY_BYTES_IN_FLIGHT). There is no room for {size} more. Try again soon, with fewer "
                "requests at a time."
            )

    def share(self) -> int:
        """The most bytes that one tenant may hold."""
        return self._total // 2 if self._several else self._total

    def change(self, tenant: str, size: int) -> None:
        """Count `size` more bytes; a negative size counts fewer."""
        self.held += size
        self._held[tenant] += size
        self._first = self._first or tenant
        self._several = self._several or tenant not in ("", self._first)


class Reservation:
    """The bytes that one request holds, `size` of them. `tenant` is set once the key is checked."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget, self.tenant, self.size = budget, "", 0

    def beside(self) -> "Reservation":
        """An empty reservation for other bytes of the same tenant, to be released on its own."""
        other = Reservation(self._budget)
        other.tenant = self.tenant
        return other

    def check(self, size: int) -> None:
        """Raise Overloaded if so many bytes do not fit now."""
        self._budget.check(self.tenant, size)

    def check_answer(self, size: int) -> None:
        """Raise AnswerTooLarge if an answer of so many bytes never fits, and Overloaded if it does not fit now."""
        if size > (share := self._budget.share()):
            raise AnswerTooLarge(
                f"The answer takes {size} bytes; requests in flight may hold {share} for one tenant "
                "(HANDFUL_MAX_BODY_BYTES_IN_FLIGHT). Raise the setting."
            )
        self.check(size)

    def take(self, size: int) -> None:
        """Hold more bytes until the answer is sent. Raises Overloaded."""
        self.check(size)
        self.add(size)

    def add(self, size: int) -> None:
        """Hold more bytes, even if they do not fit."""
        self._budget.change(self.tenant, size)
        self.size += size

    def give_back(self, size: int) -> None:
        """Give a part back."""
        self._budget.change(self.tenant, -size)
        self.size -= size

    def release(self) -> None:
        """Give all of it back."""
        self.give_back(self.size)


class ReleaseMemory:
    """ASGI middleware that gives each request a `Reservation`, and releases it after the answer is sent."""

    def __init__(self, app: ASGIApp, budget: MemoryBudget) -> None:
        self._app, self._budget = app, budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with `reservation` in its state."""
        reservation = Reservation(self._budget)
        scope.setdefault("state", {})["reservation"] = reservation
        try:
            await self._app(scope, receive, send)
        finally:
            reservation.release()
