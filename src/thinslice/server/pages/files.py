"""The style and the script of the pages, read once and named by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

_FILES = {
    "thinslice.css": ("thinslice.report", "text/css"),
    "pages.css": ("thinslice.server", "text/css"),
    "pages.js": ("thinslice.server", "text/javascript"),
    "money.js": ("thinslice.server", "text/javascript"),
    "title.js": ("thinslice.server", "text/javascript"),
    "photo.js": ("thinslice.server", "text/javascript"),
    "photo.css": ("thinslice.server", "text/css"),
    "title_review.js": ("thinslice.server", "text/javascript"),
    "icon.svg": ("thinslice.server", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent; `digest` changes whenever the content does."""

    content: bytes
    media_type: str
    digest: str


def address(name: str) -> str:
    """Where a file is; a browser keeps it until its content changes."""
    return f"/static/{name}?v={static_file(name).digest}"


async def static(request: Request) -> Response:
    """A file, to be kept for a year when asked for by its content's digest."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response("there is no such file", 404, media_type="text/plain")
    found = static_file(name)
    named = request.query_params.get("v") == found.digest
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if named else "no-cache",
        "etag": f'"{found.digest}"',
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@cache
def static_file(name: str) -> StaticFile:
    package, media_type = _FILES[name]
    content = (files(package) / "static" / name).read_bytes()
    return StaticFile(content, media_type, hashlib.sha256(content).hexdigest()[:12])
