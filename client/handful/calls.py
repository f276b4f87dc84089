"""The calls on a client's examples and versions, for both clients: each method makes a request and sends it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from handful.inputs import label_fields, listed, plain
from handful.requests import Http, evaluate_request, feedback_request, path_of, request_of

Reply = TypeVar("Reply")
"""An answer, or an awaitable of one."""


class Calls(ABC, Generic[Reply]):
    """Calls that answer with one JSON object. `if_match` is the `etag` of an answer: the call fails with 412 if the
    client has changed since."""

    _http: Http

    @abstractmethod
    def _send(self, request: httpx.Request) -> Reply:
        """Send a request, and retry it while the service asks for that."""

    def client(self, client_id: str) -> Reply:
        """A client: its model, classes and version."""
        return self._send(request_of(self._http, "GET", path_of(client_id)))

    def clients(self, *, cursor: str | None = None, limit: int | None = None) -> Reply:
        """A page of clients, with `next_cursor`."""
        return self._send(request_of(self._http, "GET", "/clients", query={"cursor": cursor, "limit": limit}))

    def examples(
        self,
        client_id: str,
        *,
        label: str | int | None = None,
        cursor: int | None = None,
        limit: int | None = None,
        inputs: bool | None = None,
        version: int | None = None,
    ) -> Reply:
        """A page of examples, with `next_cursor`; with `inputs`, as they were decoded."""
        query = {"label": label, "cursor": cursor, "limit": limit, "inputs": inputs, "version": version}
        return self._send(request_of(self._http, "GET", path_of(client_id, "examples"), query=query))

    def example(self, client_id: str, example: str, *, inputs: bool | None = None) -> Reply:
        """One example."""
        path = path_of(client_id, "examples", example)
        return self._send(request_of(self._http, "GET", path, query={"inputs": inputs}))

    def relabel(self, client_id: str, example: str, label: Any, *, if_match: str | None = None) -> Reply:
        """Give an example another label, or several: a set, or a list of texts."""
        path, body = path_of(client_id, "examples", example), label_fields(label)
        return self._send(request_of(self._http, "PATCH", path, body=body, if_match=if_match))

    def remove(
        self, client_id: str, example: str, *, keep_history: bool | None = None, if_match: str | None = None
    ) -> Reply:
        """Remove an example. The answer has a `receipt`."""
        path, query = path_of(client_id, "examples", example), {"keep_history": keep_history}
        return self._send(request_of(self._http, "DELETE", path, query=query, if_match=if_match))

    def rename_class(self, client_id: str, label: str | int, to: str | int, *, if_match: str | None = None) -> Reply:
        """Give a class another name."""
        path = path_of(client_id, "classes", str(label))
        return self._send(request_of(self._http, "PATCH", path, body={"label": to}, if_match=if_match))

    def remove_class(
        self, client_id: str, label: str | int, *, keep_history: bool | None = None, if_match: str | None = None
    ) -> Reply:
        """Remove a class and its examples. The answer has a `receipt`."""
        path, query = path_of(client_id, "classes", str(label)), {"keep_history": keep_history}
        return self._send(request_of(self._http, "DELETE", path, query=query, if_match=if_match))

    def feedback(self, client_id: str, prediction: str, label: Any, *, if_match: str | None = None) -> Reply:
        """Make an example of a recent query, by the `id` of its prediction and the right label."""
        return self._send(feedback_request(self._http, client_id, prediction, label, if_match))

    def unlabelled(
        self, client_id: str, inputs: Any, *, ids: Sequence[str] | None = None, if_match: str | None = None
    ) -> Reply:
        """Add inputs without labels to the examples, from which models with `weighted_examples` learn too."""
        body = {"inputs": [plain(one) for one in listed(inputs)], "ids": None if ids is None else list(ids)}
        path = path_of(client_id, "unlabelled")
        return self._send(request_of(self._http, "POST", path, body=body, if_match=if_match, once=True))

    def suggest(self, client_id: str, inputs: Any, k: int = 10, *, ids: Sequence[str] | None = None) -> Reply:
        """The inputs that are most worth a label: `suggestions`, each with its `index`, the most worthy first."""
        body = {"inputs": [plain(one) for one in listed(inputs)], "k": k, "ids": None if ids is None else list(ids)}
        return self._send(request_of(self._http, "POST", path_of(client_id, "suggest"), body=body))

    def quality(self, client_id: str, *, version: int | None = None) -> Reply:
        """How good a client is, by its own examples: `estimate`, suspected errors, duplicates, and more."""
        return self._send(request_of(self._http, "GET", path_of(client_id, "quality"), query={"version": version}))

    def evaluate(self, client_id: str, queries: Any, labels: Any = None, *, version: int | None = None) -> Reply:
        """The figures of the answers to (input, label) pairs, or to inputs with `labels`. A label None: of no class."""
        return self._send(evaluate_request(self._http, client_id, queries, labels, version))

    def model(self, name: str) -> Reply:
        """The card of a model: its inputs, its limits, its measured quality and its training."""
        return self._send(request_of(self._http, "GET", f"/models/{quote(name, safe='')}"))

    def usage(self) -> Reply:
        """What the tenant stores, may store and use, and used on the last 31 days."""
        return self._send(request_of(self._http, "GET", "/usage"))

    def limits(self) -> Reply:
        """The largest adapts and predicts that are accepted now, by model."""
        return self._send(request_of(self._http, "GET", "/limits"))

    def alive(self) -> Reply:
        """Whether the service answers at all."""
        return self._send(request_of(self._http, "GET", "/healthz"))

    def ready(self) -> Reply:
        """Whether the service works: its store takes writes, and its worker adapts and predicts."""
        return self._send(request_of(self._http, "GET", "/readyz"))

    def versions(self, client_id: str) -> Reply:
        """The kept versions, the latest first."""
        return self._send(request_of(self._http, "GET", path_of(client_id, "versions")))

    def rollback(self, client_id: str, version: int, *, if_match: str | None = None) -> Reply:
        """Make a new version with the examples of an earlier one."""
        path, body = path_of(client_id, "rollback"), {"version": version}
        return self._send(request_of(self._http, "POST", path, body=body, if_match=if_match))

    def copy(self, client_id: str, to: str, *, version: int | None = None) -> Reply:
        """Make another client of the same examples."""
        body = {"client_id": to, "version": version}
        return self._send(request_of(self._http, "POST", path_of(client_id, "copy"), body=body))

    def move(self, client_id: str, model: str, *, if_match: str | None = None) -> Reply:
        """Adapt another model to the same examples."""
        path, body = path_of(client_id, "model"), {"model": model}
        return self._send(request_of(self._http, "POST", path, body=body, if_match=if_match))

    def readapt(self, client_id: str) -> Reply:
        """Adapt again if the checkpoint of the model was replaced."""
        return self._send(request_of(self._http, "POST", path_of(client_id, "readapt")))

    def restore(self, client_id: str, file: bytes, *, mode: str | None = None, if_match: str | None = None) -> Reply:
        """Create or replace a client from an exported file, or (mode "append") add its examples."""
        headers = {"Content-Type": "application/safetensors"} | ({} if if_match is None else {"If-Match": if_match})
        query = {} if mode is None else {"mode": mode}
        path = path_of(client_id, "import")
        return self._send(self._http.build_request("POST", path, params=query, content=file, headers=headers))
