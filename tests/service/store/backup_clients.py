"""Clients whose answers show whether a backup has all of them."""

import threading

import httpx
import numpy as np

CLIENTS = 20


def drawings(client: int, count: int) -> list:
    """Some dark dots on light paper."""
    paper = np.full((count, 28, 28), 255)
    for number, (row, column) in enumerate(np.random.default_rng(client).integers(2, 22, (count, 2))):
        paper[number, row : row + 4, column : column + 4] = 0
    return paper.tolist()


def teach(http: httpx.Client) -> None:
    """Each client adapts, some of them again."""
    for client in range(CLIENTS):
        for again in range(1 + client % 2):
            adapt(http, client, again)


def keep_changing(http: httpx.Client, ended: threading.Event) -> int:
    """All clients adapt to other examples each time, until it ends. Returns how often."""
    times = 0
    while not ended.is_set():
        times += 1
        adapt(http, times % CLIENTS, 1000 + times)
    return times


def adapt(http: httpx.Client, client: int, seed: int) -> None:
    support = [{"input": one, "label": f"{client}-{i % 2}"} for i, one in enumerate(drawings(client + seed, 4))]
    body = {"client_id": f"client-{client}", "model": "glyphs", "support": support}
    http.post("/adapt", json=body).raise_for_status()


def answers(http: httpx.Client) -> list:
    """What each client is answered, and its examples."""
    found = []
    for client in range(CLIENTS):
        body = {"client_id": f"client-{client}", "inputs": drawings(client + 100, 2)}
        asked = http.post("/predict", json=body).raise_for_status().json()
        listed = http.get(f"/clients/client-{client}/examples").raise_for_status().json()
        found.append((asked["version"], asked["predictions"], listed))
    return found
