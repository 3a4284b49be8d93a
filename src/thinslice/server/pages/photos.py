"""A product's photo, or a drawn stand-in that is the same at every look."""

from __future__ import annotations

import hashlib
from email.utils import formatdate
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from thinslice.domain import Product
from thinslice.ranking.rules import leaf
from thinslice.report.numbers import tint

if TYPE_CHECKING:
    from thinslice.shelf.shelf import Shelf

_CACHE = "private, max-age=3600"
_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
_SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'"}
_TINTS = (  # paper and ink, those of .tint-0 to .tint-7 in the stylesheet
    *(("#f3dfc9", "#7c3f06"), ("#d9e4f7", "#1c3f94"), ("#e5dcf6", "#55249f")),
    *(("#d3ebe7", "#0b5750"), ("#f7d9de", "#96102f"), ("#e6ebcb", "#4a5608")),
    *(("#d6eaf5", "#0c5273"), ("#f4ddee", "#861a66")),
)


def photo(shelf: Shelf, request: Request) -> Response:
    """The picture of the product named in the address; one that is not sold gets a stand-in."""
    product_id = request.path_params["product"] or request.query_params.get("id", "")
    product = shelf.catalog.all().get(product_id) or Product(product_id, product_id)
    path = shelf.photos.path(product_id) if product.has_photo else None
    if path is not None and path.suffix in _MEDIA_TYPES:
        return _file(path, request)
    return _drawn(product, request)


def letter(product: Product) -> str:
    """The letter on a product's stand-in."""
    name = leaf(product.category) or product.title
    return next((c.upper() for c in name if c.isalnum()), "·")


def _file(path: Path, request: Request) -> Response:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return Response("the photo is being replaced", 404, media_type="text/plain")
    headers = {
        "cache-control": _CACHE,
        "etag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
        "last-modified": formatdate(stat.st_mtime, usegmt=True),
        **_SAFE,
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    media_type = _MEDIA_TYPES[path.suffix]
    return FileResponse(path, media_type=media_type, headers=headers, stat_result=stat)


def _drawn(product: Product, request: Request) -> Response:
    paper, ink = _TINTS[tint(product.category or product.title)]
    title = escape(f"No photo of {product.title}")
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" role="img">'
        f'<title>{title}</title><rect width="200" height="200" fill="{paper}"/>'
        f'<text x="100" y="126" font-family="Georgia,serif" font-size="76" font-weight="600" '
        f'text-anchor="middle" fill="{ink}">{escape(letter(product))}</text></svg>'
    ).encode("utf-8", "replace")
    etag = f'"{hashlib.sha256(svg).hexdigest()[:16]}"'
    headers = {"cache-control": _CACHE, "etag": etag, **_SAFE}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(svg, media_type="image/svg+xml", headers=headers)
