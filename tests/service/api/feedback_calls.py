"""Calls of a client that gives feedback."""

import httpx

from service.store.records import ClientKey
from tests.service.drawings import letters, png

ALICE = ClientKey("default", "alice")
KEPT_S = 3600


def adapt(api, support=None, **fields):
    body = {"client_id": "alice", "support": letters("LV") if support is None else support} | fields
    return api.post("/adapt", json=body)


def predict(api, *drawings, **fields) -> list[dict]:
    body = {"client_id": "alice", "inputs": list(drawings) or [png("Z")]} | fields
    return api.post("/predict", json=body).raise_for_status().json()["predictions"]


def feedback(api, name, label="Z", **headers) -> httpx.Response:
    return api.post("/clients/alice/feedback", json={"id": name, "label": label}, headers=headers)


def keeping(api: httpx.Client) -> httpx.Client:
    """Adapt a client that keeps its queries."""
    adapt(api, keep_queries_s=KEPT_S).raise_for_status()
    return api
