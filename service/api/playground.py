"""GET /: the playground, a page that teaches and asks. Its files need no build step and no other host."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from service.errors import NotFound

FOLDER = Path(__file__).parent.parent / "playground"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}
PACKED = (".css", ".html", ".js", ".svg", ".ts")
"""What gzip makes smaller."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",  # ask each time, so that an upgrade is seen at once
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


class File(NamedTuple):
    """A file of the page, and the same in gzip if that is smaller."""

    type: str
    etag: str
    plain: bytes
    packed: bytes | None


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    return _answer(request, "index.html")


@router.get("/playground/{name:path}")
async def page_file(request: Request, name: str) -> Response:
    """A file of the page."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    if name not in names():
        raise NotFound("GET / is the playground.")
    file = _file(name, request.scope.get("root_path", ""))
    headers = HEADERS | {"ETag": file.etag, "Content-Type": file.type}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if file.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.packed, headers=headers | {"Content-Encoding": "gzip"})
    return Response(file.plain, headers=headers)


@cache
def names() -> frozenset[str]:
    """The files that are served, by their path in the folder."""
    found = (path for path in FOLDER.rglob("*") if path.suffix in TYPES)
    return frozenset(path.relative_to(FOLDER).as_posix() for path in found)


@cache
def _file(name: str, prefix: str) -> File:
    """Read a file. In the page, addresses get the path prefix that a proxy serves it under."""
    path = FOLDER / name
    plain = path.read_bytes()
    if path.suffix == ".html":
        plain = plain.replace(b'"/playground/', f'"{prefix}/playground/'.encode())
    packed = gzip.compress(plain, mtime=0) if path.suffix in PACKED else None
    return File(TYPES[path.suffix], f'"{hashlib.sha256(plain).hexdigest()[:16]}"', plain, packed)
