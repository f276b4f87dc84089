"""The requests that the clients send."""

import base64
import io
import os
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif"}

Http = httpx.Client | httpx.AsyncClient


def headers(api_key: str | None) -> dict[str, str]:
    """The headers of all requests."""
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def adapt_request(
    http: Http, client_id: str, support: Iterable[tuple[Any, ...]], options: dict[str, Any]
) -> httpx.Request:
    """POST /adapt."""
    examples = [_example(*one) for one in support]
    tags = {"If-Match": options["if_match"]} if "if_match" in options else {}
    fields = {name: value for name, value in options.items() if name != "if_match"}
    body = {"client_id": client_id, "support": examples} | fields
    return http.build_request("POST", "/adapt", json=body, headers={"Idempotency-Key": uuid.uuid4().hex} | tags)


def predict_request(http: Http, client_id: str, inputs: Sequence[Any], options: dict[str, Any]) -> httpx.Request:
    """POST /predict."""
    body = {"client_id": client_id, "inputs": [_plain(one) for one in inputs]} | options
    return http.build_request("POST", "/predict", json=body)


def feedback_request(http: Http, client_id: str, prediction: str, label: Any, if_match: str | None) -> httpx.Request:
    """POST /clients/{client_id}/feedback. Retries change nothing, because it has an idempotency key."""
    sent = {"Idempotency-Key": uuid.uuid4().hex} | ({} if if_match is None else {"If-Match": if_match})
    body = {"id": prediction, "label": number(label)}
    return http.build_request("POST", path_of(client_id, "feedback"), json=body, headers=sent)


def evaluate_request(
    http: Http, client_id: str, queries: Iterable[tuple[Any, Any]], version: int | None
) -> httpx.Request:
    """POST /clients/{client_id}/evaluate."""
    body = {"queries": [_example(*one) for one in queries]} | ({} if version is None else {"version": version})
    return http.build_request("POST", path_of(client_id, "evaluate"), json=body)


def suggest_request(
    http: Http, client_id: str, inputs: Sequence[Any], k: int, ids: Sequence[str] | None
) -> httpx.Request:
    """POST /clients/{client_id}/suggest."""
    body = {"inputs": [_plain(one) for one in inputs], "k": k} | ({} if ids is None else {"ids": list(ids)})
    return http.build_request("POST", path_of(client_id, "suggest"), json=body)


def forget_request(http: Http, client_id: str) -> httpx.Request:
    """DELETE /clients/{client_id}."""
    return http.build_request("DELETE", path_of(client_id))


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
) -> httpx.Request:
    """A request; queries and fields that are None are left out."""
    given = {name: value for name, value in (query or {}).items() if value is not None}
    sent = None if body is None else {name: value for name, value in body.items() if value is not None}
    tags = {} if if_match is None else {"If-Match": if_match}
    return http.build_request(method, path, params=given, json=sent, headers=tags)


def _example(one: Any, label: Any, name: str | None = None) -> dict[str, Any]:
    example = {"input": _plain(one), "label": number(label)}
    return example if name is None else example | {"id": name}


def _plain(value: Any) -> Any:
    """A value as JSON: files and images as base64, arrays as lists."""
    if isinstance(value, Path) or _names_image(value):
        value = Path(value).read_bytes()
    elif hasattr(value, "read"):
        value = value.read()
    elif hasattr(value, "save") and hasattr(value, "mode"):  # a PIL image
        value = _png(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return _numbers(value) if hasattr(value, "tolist") else value


def _names_image(value: Any) -> bool:
    """Whether a text is the path of an image file that is there."""
    return isinstance(value, str) and Path(value[-8:]).suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(value)


def number(label: Any) -> Any:
    """A label as JSON: numbers of arrays as plain ones."""
    return label.tolist() if hasattr(label, "tolist") else label


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    (image if image.mode in PNG_MODES else image.convert("RGB")).save(file, "PNG")
    return file.getvalue()


def _numbers(array: Any) -> Any:
    """An array as nested lists. A channel axis of length 1 is removed; a mask of booleans becomes black and white."""
    if len(array.shape) == 3 and 1 in (array.shape[0], array.shape[-1]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if "bool" in str(array.dtype):
        array = array * (255 if len(array.shape) == 2 else 1)
    return array.tolist()
