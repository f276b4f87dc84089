"""The requests that the clients send."""

import uuid
from typing import Any
from urllib.parse import quote

import httpx

from handful.inputs import examples, label_fields

Http = httpx.Client | httpx.AsyncClient


EXPORT_S = 600.0
"""Seconds to wait for an ONNX file. The service answers sooner: see HANDFUL_EXPORT_S."""


def headers(api_key: str | None) -> dict[str, str]:
    """The headers of all requests."""
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def adapt_request(http: Http, client_id: str, support: list[dict[str, Any]], options: dict[str, Any]) -> httpx.Request:
    """POST /adapt. `support` is JSON."""
    tags = {"If-Match": options["if_match"]} if options.get("if_match") is not None else {}
    tags |= {"Idempotency-Key": uuid.uuid4().hex} | affinity(client_id)
    fields = {name: value for name, value in options.items() if name != "if_match"}
    body = {"client_id": client_id, "support": support} | fields
    return http.build_request("POST", "/adapt", json=body, headers=tags)


def predict_request(http: Http, client_id: str, inputs: list[Any], options: dict[str, Any]) -> httpx.Request:
    """POST /predict. `inputs` are JSON."""
    body = {"client_id": client_id, "inputs": inputs} | options
    return http.build_request("POST", "/predict", json=body, headers=affinity(client_id))


def affinity(client_id: str) -> dict[str, str]:
    """The header by which a balancer may send the requests of a client to one replica, which has its state."""
    return {"X-Client-Id": quote(client_id, safe="")}


def feedback_request(http: Http, client_id: str, prediction: str, label: Any, if_match: str | None) -> httpx.Request:
    """POST /clients/{client_id}/feedback. Retries change nothing, because it has an idempotency key."""
    sent = {"Idempotency-Key": uuid.uuid4().hex} | ({} if if_match is None else {"If-Match": if_match})
    body = {"id": prediction} | label_fields(label)
    return http.build_request("POST", path_of(client_id, "feedback"), json=body, headers=sent)


def evaluate_request(
    http: Http, client_id: str, queries: Any, labels: Any = None, version: int | None = None
) -> httpx.Request:
    """POST /clients/{client_id}/evaluate."""
    body: dict[str, Any] = {"queries": list(examples(queries, labels))}
    return http.build_request(
        "POST", path_of(client_id, "evaluate"), json=body | ({} if version is None else {"version": version})
    )


def forget_request(http: Http, client_id: str, if_match: str | None = None) -> httpx.Request:
    """DELETE /clients/{client_id}."""
    return request_of(http, "DELETE", path_of(client_id), if_match=if_match)


def path_of(client_id: str, *parts: str) -> str:
    """The path of a client, or of a part of it."""
    return "/".join(("/clients", *(quote(part, safe="") for part in (client_id, *parts))))


def request_of(
    http: Http,
    method: str,
    path: str,
    *,
    query: dict[str, Any] | None = None,
    body: dict[str, Any] | None = None,
    if_match: str | None = None,
    once: bool = False,
) -> httpx.Request:
    """A request; queries and fields that are None are left out. `once`: a retry changes nothing."""
    given = {name: value for name, value in (query or {}).items() if value is not None}
    sent = None if body is None else {name: value for name, value in body.items() if value is not None}
    tags = {} if if_match is None else {"If-Match": if_match}
    tags |= {"Idempotency-Key": uuid.uuid4().hex} if once else {}
    return http.build_request(method, path, params=given, json=sent, headers=tags)


def onnx_request(http: Http, client_id: str, version: int | None) -> httpx.Request:
    """GET /clients/ID/model.onnx."""
    query = {} if version is None else {"version": version}
    return http.build_request("GET", path_of(client_id, "model.onnx"), params=query, timeout=EXPORT_S)
