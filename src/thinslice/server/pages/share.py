"""A link for a colleague: made here, named after them, for reading, until it expires."""

from __future__ import annotations

import asyncio
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from thinslice.errors import AccessError
from thinslice.server.access import viewer_of
from thinslice.server.share import share

if TYPE_CHECKING:
    from thinslice.server.pages.site import Site

_MAX_LABEL = 60


class SharePage:
    """Makes links for those who may; a link itself makes none."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        """The form, and the links that still open."""
        return self._page(request, link=None)

    async def make(self, request: Request) -> Response:
        """A new link, shown once with its QR code."""
        shop = self._may_share(request)
        settings = self._site.engine.settings
        fields = parse_qs((await request.body())[:2000].decode("utf-8", "replace"))
        label = fields.get("label", [""])[0].strip()[:_MAX_LABEL] or "shared link"
        port = request.url.port or settings.port or 80
        made = await asyncio.to_thread(
            share,
            self._site.engine.control,
            shop,
            port=port,
            hours=settings.link_hours,
            label=label,
        )
        # The drawing is our own: segno's SVG of an address holds nothing that anyone typed.
        return self._page(
            request, link={"address": made.address, "label": label, "code": Markup(made.as_svg())}
        )

    def _page(self, request: Request, link: dict[str, Any] | None) -> Response:
        shop = self._may_share(request)
        settings = self._site.engine.settings
        now_us = time.time_ns() // 1000
        open_links = [k for k in self._site.engine.control.links(shop) if k.expires_us > now_us]
        return self._site.page(
            request,
            "share.html",
            link=link,
            links=open_links[::-1][:50],
            hours=round(settings.link_hours),
            reachable=not _is_loopback(settings.host),
        )

    def _may_share(self, request: Request) -> str:
        shop = str(request.path_params["shop"])
        if not viewer_of(request).changes(shop):
            raise AccessError("links are made on the computer that runs the service, or with a key")
        self._site.engine.shelf(shop)
        return shop


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
