"""The clients have a method for each operation of the API."""

import asyncio
import inspect
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from handful import AsyncHandful, Handful
from service.app import create_app
from service.cards import Catalogue
from service.settings import ZOO, Settings

SCHEMA = create_app(Settings(), "redis://localhost", Catalogue(ZOO), nullcontext()).openapi()
ELSEWHERE = ("/v2", "/admin")
"""Another protocol, which has clients of its own, and what operators do."""
OPERATIONS = {
    operation["operationId"]: (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
    if not path.startswith(ELSEWHERE)
}
CALLS: dict[str, Callable[[Any], Any]] = {
    "adapt": lambda handful: handful.adapt("alice", [("late", "delivery")]),
    "predict": lambda handful: handful.predict("alice", ["late"]),
    "list_clients": lambda handful: handful.clients(),
    "get_client": lambda handful: handful.client("alice"),
    "forget_client": lambda handful: handful.forget("alice"),
    "list_examples": lambda handful: handful.examples("alice"),
    "get_example": lambda handful: handful.example("alice", "e1"),
    "relabel_example": lambda handful: handful.relabel("alice", "e1", "refund"),
    "remove_example": lambda handful: handful.remove("alice", "e1"),
    "rename_class": lambda handful: handful.rename_class("alice", "refund", "returns"),
    "remove_class": lambda handful: handful.remove_class("alice", "refund"),
    "give_feedback": lambda handful: handful.feedback("alice", "p1-0", "refund"),
    "add_unlabelled": lambda handful: handful.unlabelled("alice", ["late"]),
    "suggest": lambda handful: handful.suggest("alice", ["late"]),
    "get_quality": lambda handful: handful.quality("alice"),
    "evaluate": lambda handful: handful.evaluate("alice", [("late", "delivery")]),
    "list_versions": lambda handful: handful.versions("alice"),
    "rollback": lambda handful: handful.rollback("alice", 1),
    "copy_client": lambda handful: handful.copy("alice", "bob"),
    "move_client": lambda handful: handful.move("alice", "texts"),
    "readapt": lambda handful: handful.readapt("alice"),
    "import_client": lambda handful: handful.restore("alice", b"file"),
    "list_models": lambda handful: handful.models(),
    "get_model": lambda handful: handful.model("texts"),
    "get_usage": lambda handful: handful.usage(),
    "get_limits": lambda handful: handful.limits(),
    "healthz": lambda handful: handful.alive(),
    "readyz": lambda handful: handful.ready(),
}
"""A call of each operation. Add one with each operation, and the method for it to `client/handful/calls.py`."""
FILES: dict[str, Callable[..., Any]] = {
    "export_client": lambda handful, *path: handful.export("alice", *path),
    "export_onnx": lambda handful, *path: handful.export_onnx("alice", *path),
}
"""Calls that write a file, or return its bytes in event loops."""


def answer(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=[] if request.url.path == "/models" else {"predictions": []})


def test_each_operation_of_the_api_has_a_call():
    assert set(OPERATIONS) - set(CALLS) - FILES.keys() == set()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", [Handful, AsyncHandful])
def test_a_call_reaches_its_operation(monkeypatch, kind, name):
    assert reached(monkeypatch, kind, CALLS[name]) == name


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", [Handful, AsyncHandful])
def test_an_export_reaches_its_operation(monkeypatch, kind, name, tmp_path: Path):
    path = [tmp_path / "file"] if kind is Handful else []
    assert reached(monkeypatch, kind, lambda handful: FILES[name](handful, *path)) == name


def reached(monkeypatch, kind: type, call: Callable[[Any], Any]) -> str:
    """The operation that a call asks for."""
    seen: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(request)

    for each in (httpx.Client, httpx.AsyncClient):
        made = each(base_url="http://service", transport=httpx.MockTransport(note))
        monkeypatch.setattr(httpx, each.__name__, lambda made=made, **_: made)

    async def run() -> None:
        found = call(kind())
        if inspect.isawaitable(found):
            await found

    asyncio.run(run())
    (request,) = seen
    (operation,) = [
        name
        for name, (method, path) in OPERATIONS.items()
        if method == request.method and path.fullmatch(request.url.raw_path.decode())
    ]
    return operation
