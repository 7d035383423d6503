"""Assets out of the package: hashed names, so that a browser may keep them for good.

What must hold: a name a page links to carries eight hex digits of the SHA-256 of the bytes it
gets, so a changed file has another address and nothing stale is ever shown.  Only files that
are in the package are served; a path is a key of a table, never joined to a directory.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.prooffile.make import bundle, part

PREFIX = "/static/"

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, the same compressed, and its media type."""

    content: bytes
    packed: bytes
    media_type: str


def url(name: str) -> str:
    """Return the address of the asset `name`, a path below static/ such as "live.js".

    >>> url("counterfoil.css").startswith("/static/counterfoil.")
    True
    """
    return PREFIX + _names()[name]


def find(hashed: str) -> Asset | None:
    """Return the asset behind a hashed name such as "live.0123abcd.js", or None."""
    return _assets().get(hashed)


def serve(request: Request) -> Response:
    """Answer GET /static/{path}: the bytes for a year, or 404; needs no session."""
    asset = find(request.path_params["path"])
    if asset is None:
        return Response("no such file", status_code=404, media_type="text/plain")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, headers=headers, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _files() -> dict[str, bytes]:
    """Return the served files of the package by path below static/."""
    root = resources.files("counterfoil.web") / "static"
    found: dict[str, bytes] = {}

    def walk(directory: Traversable, prefix: str) -> None:
        for item in sorted(directory.iterdir(), key=lambda each: each.name):
            if item.is_dir():
                walk(item, f"{prefix}{item.name}/")
            elif item.name.rpartition(".")[2] in _TYPES:
                found[prefix + item.name] = item.read_bytes()

    walk(root, "")
    # The entry page computes with the very functions that a proof file carries.
    found["proof.js"] = bundle(part("core.js"), found["proof.js"].decode()).encode()
    return found


@cache
def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for name, content in _files().items():
        stem, _, ending = name.rpartition(".")
        names[name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
    return names


@cache
def _assets() -> dict[str, Asset]:
    # mtime=0: the same file gives the same packed bytes on every start.
    return {
        _names()[name]: Asset(
            content=content,
            packed=gzip.compress(content, mtime=0),
            media_type=_TYPES[name.rpartition(".")[2]],
        )
        for name, content in _files().items()
    }
